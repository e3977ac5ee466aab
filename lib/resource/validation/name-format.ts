/**
 * Checks of names by form. Each returns what is wrong as sentences (none: fine), in the words that clients of upstream
 * know. Source of forms, limits and texts: kubernetes/apimachinery:pkg/util/validation, pkg/api/validation.
 */
const QUALIFIED_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE = `(${QUALIFIED_NAME})?`;
const DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS_SUBDOMAIN = `${DNS_LABEL}(\\.${DNS_LABEL})*`;
const CONFIG_KEY = "[-._a-zA-Z0-9]+";

const whole = (source: string): RegExp => new RegExp(`^(?:${source})$`);
const qualifiedNameForm = whole(QUALIFIED_NAME);
const labelValueForm = whole(LABEL_VALUE);
const dnsLabelForm = whole(DNS_LABEL);
const dnsSubdomainForm = whole(DNS_SUBDOMAIN);
const configKeyForm = whole(CONFIG_KEY);

const QUALIFIED_NAME_TEXT = formText(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  QUALIFIED_NAME,
  ["MyName", "my.name", "123-abc"],
);

function formText(message: string, source: string, examples: readonly string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(" or ");
  return `${message} (e.g. ${shown}regex used for validation is '${source}')`;
}

/** Upstream counts label keys and values in bytes and says so; of other names it says characters. */
function tooLong(limit: number, unit: "bytes" | "characters" = "characters"): string {
  return `must be no more than ${limit} ${unit}`;
}

export function dnsLabelProblems(value: string): string[] {
  const problems: string[] = [];
  if (value.length > 63) problems.push(tooLong(63));
  if (dnsLabelForm.test(value)) return problems;
  if (dnsSubdomainForm.test(value)) {
    problems.push("must not contain dots");
  } else {
    const message =
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
    problems.push(formText(message, DNS_LABEL, ["my-name", "123-abc"]));
  }
  return problems;
}

export function dnsSubdomainProblems(value: string): string[] {
  const problems: string[] = [];
  if (value.length > 253) problems.push(tooLong(253));
  if (!dnsSubdomainForm.test(value)) {
    const message =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
    problems.push(formText(message, DNS_SUBDOMAIN, ["example.com"]));
  }
  return problems;
}

/** Keys of labels and annotations, finalizers, resource names: `[prefix/]name`. */
export function qualifiedNameProblems(value: string): string[] {
  const problems: string[] = [];
  const parts = value.split("/");
  if (parts.length > 2) {
    return [
      `a valid label key ${QUALIFIED_NAME_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts[parts.length - 1] ?? "";
  if (parts.length === 2) {
    const prefix = parts[0] ?? "";
    if (prefix === "") problems.push("prefix part must be non-empty");
    else problems.push(...dnsSubdomainProblems(prefix).map((problem) => `prefix part ${problem}`));
  }
  if (name === "") problems.push("name part must be non-empty");
  else if (name.length > 63) problems.push(`name part ${tooLong(63, "bytes")}`);
  if (!qualifiedNameForm.test(name)) problems.push(`name part ${QUALIFIED_NAME_TEXT}`);
  return problems;
}

export function labelValueProblems(value: string): string[] {
  const problems: string[] = [];
  if (value.length > 63) problems.push(tooLong(63, "bytes"));
  if (!labelValueForm.test(value)) {
    const message =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    problems.push(formText(message, LABEL_VALUE, ["MyValue", "my_value", "12345"]));
  }
  return problems;
}

/** Keys of a ConfigMap's or Secret's data. */
export function configKeyProblems(value: string): string[] {
  const problems: string[] = [];
  if (value.length > 253) problems.push(tooLong(253));
  if (!configKeyForm.test(value)) {
    const message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    problems.push(formText(message, CONFIG_KEY, ["key.name", "KEY_NAME", "key-name"]));
  }
  if (value === ".") problems.push("must not be '.'");
  else if (value === "..") problems.push("must not be '..'");
  else if (value.startsWith("..")) problems.push("must not start with '..'");
  return problems;
}

/** Anything printable but `=`. */
export function environmentNameProblems(value: string): string[] {
  if (value === "") return ["environment variable name must be non-empty"];
  return /^[ -<>-~]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

export function portNameProblems(value: string): string[] {
  const problems: string[] = [];
  if (value.length > 15) problems.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(value)) {
    problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(value)) problems.push("must contain at least one letter (a-z)");
  if (value.includes("--")) problems.push("must not contain consecutive hyphens");
  if (value.startsWith("-") || value.endsWith("-")) problems.push("must not begin or end with a hyphen");
  return problems;
}

export function portNumberProblems(value: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : ["must be between 1 and 65535, inclusive"];
}

/** A name that is one segment of a URL's path. */
export function pathSegmentProblems(value: string): string[] {
  if (value === ".") return ["may not be '.'"];
  if (value === "..") return ["may not be '..'"];
  const problems: string[] = [];
  if (value.includes("/")) problems.push("may not contain '/'");
  if (value.includes("%")) problems.push("may not contain '%'");
  return problems;
}
