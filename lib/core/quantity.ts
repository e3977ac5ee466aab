/**
 * Amounts such as `100m`, `1.5Gi`, `1e3`. Canonical text and rounding follow Kubernetes' resource.Quantity (tables'
 * README, "Quantity"): a text that upstream would print as it stands is kept, any other is rewritten.
 */
export interface Quantity {
  /** The amount times 10^9, exact; parts below a billionth are rounded away from zero. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

export type QuantityFormat = "decimal" | "binary" | "exponent";

export class QuantityError extends Error {
  constructor() {
    super("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    this.name = "QuantityError";
  }
}

interface Parts {
  readonly negative: boolean;
  /** Integer digits without leading zeros, `0` if none are left. */
  readonly whole: string;
  readonly decimals: string;
  readonly base: 2 | 10;
  readonly exponent: number;
  readonly format: QuantityFormat;
}

const BILLION = 1_000_000_000n;
const MAX_INT64 = 2n ** 63n - 1n;
const SYNTAX = /^([+-]?)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,18}))?$/;
const BINARY_EXPONENTS: Record<string, number> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const DECIMAL_EXPONENTS: Record<string, number> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const DECIMAL_SUFFIXES = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY_SUFFIXES = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/** Beyond any amount that means something; keeps `1e999999999` from making a number of a billion digits. */
const MAX_EXPONENT = 1000;

function split(text: string): Parts {
  const match = SYNTAX.exec(text);
  if (match === null) {
    throw new QuantityError();
  }
  const [, sign, digits = "", decimals = "", binary, decimal, exponentText] = match;
  if (digits === "" && decimals === "") {
    throw new QuantityError();
  }
  const whole = digits.replace(/^0+/, "") || "0";
  const common = { negative: sign === "-", whole, decimals };
  if (binary !== undefined) {
    return { ...common, base: 2, exponent: BINARY_EXPONENTS[binary] ?? 0, format: "binary" };
  }
  if (exponentText !== undefined) {
    const exponent = Number(exponentText);
    if (Math.abs(exponent) > MAX_EXPONENT) {
      throw new QuantityError();
    }
    return { ...common, base: 10, exponent, format: "exponent" };
  }
  return { ...common, base: 10, exponent: DECIMAL_EXPONENTS[decimal ?? ""] ?? 0, format: "decimal" };
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

function nanoOf(parts: Parts): bigint {
  const digits = BigInt(parts.whole + parts.decimals);
  const scale = parts.decimals.length;
  let nano: bigint;
  if (parts.base === 2) {
    nano = divideUp(digits * (1n << BigInt(parts.exponent)) * BILLION, 10n ** BigInt(scale));
    nano = nano > MAX_INT64 * BILLION ? MAX_INT64 * BILLION : nano;
  } else {
    const power = parts.exponent - scale + 9;
    nano = power >= 0 ? digits * 10n ** BigInt(power) : divideUp(digits, 10n ** BigInt(-power));
  }
  return parts.negative ? -nano : nano;
}

/** Throws QuantityError when the text is not an amount. */
export function parseQuantity(text: string): Quantity {
  const parts = split(text);
  return { nano: nanoOf(parts), format: parts.format };
}

/** The canonical text of an amount. */
export function formatQuantity(quantity: Quantity): string {
  const { nano } = quantity;
  if (nano === 0n) {
    return "0";
  }
  const sign = nano < 0n ? "-" : "";
  const magnitude = nano < 0n ? -nano : nano;
  if (quantity.format === "binary" && magnitude >= 1024n * BILLION && magnitude % BILLION === 0n) {
    let value = magnitude / BILLION;
    let power = 0;
    while (power < BINARY_SUFFIXES.length - 1 && value % 1024n === 0n) {
      value /= 1024n;
      power += 1;
    }
    return `${sign}${value}${BINARY_SUFFIXES[power]}`;
  }
  let mantissa = magnitude;
  let power = -3;
  const maxPower = quantity.format === "exponent" ? Number.POSITIVE_INFINITY : 6;
  while (power < maxPower && mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    power += 1;
  }
  if (quantity.format === "exponent") {
    return power === 0 ? `${sign}${mantissa}` : `${sign}${mantissa}e${power * 3}`;
  }
  return `${sign}${mantissa}${DECIMAL_SUFFIXES[power + 3]}`;
}

/** Whether upstream prints the text as it stands. */
function staysAsWritten(parts: Parts): boolean {
  const digits = parts.whole + parts.decimals;
  if (parts.base === 10) {
    const scale = parts.exponent - parts.decimals.length;
    const plain = digits.length <= 18 && !digits.startsWith("0") && !digits.endsWith("000");
    return plain && scale >= -9 && scale % 3 === 0;
  }
  if (parts.decimals !== "" || BigInt(digits) % 8n === 0n) {
    return false;
  }
  const room = 15 - digits.length - Math.floor(0.3 * parts.exponent) - 1;
  return room >= 0 && BigInt(digits) * (1n << BigInt(parts.exponent)) <= MAX_INT64;
}

const MAX_REMEMBERED = 1000;
const remembered = new Map<string, string>();

/** The text that upstream would print for this text. Throws QuantityError when it is not an amount. */
export function canonicalQuantity(text: string): string {
  const known = remembered.get(text);
  if (known !== undefined) {
    return known;
  }
  const parts = split(text);
  const canonical = staysAsWritten(parts) ? text : formatQuantity({ nano: nanoOf(parts), format: parts.format });
  if (remembered.size >= MAX_REMEMBERED) {
    remembered.clear();
  }
  if (text.length <= 32) {
    remembered.set(text, canonical);
  }
  return canonical;
}

/** Negative, zero or positive, as the first is less than, equal to or more than the second. */
export function compareQuantities(left: Quantity, right: Quantity): number {
  return left.nano < right.nano ? -1 : left.nano > right.nano ? 1 : 0;
}

/** The sum in the first one's format; in the second one's where the first is zero, as upstream does. */
export function addQuantities(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format };
}

export function subtractQuantities(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano - right.nano, format: left.nano === 0n ? right.format : left.format };
}

function scaledUp(nano: bigint, divisor: bigint): bigint {
  return nano >= 0n ? divideUp(nano, divisor) : -divideUp(-nano, divisor);
}

/** Whole units, rounded away from zero. */
export function wholeUnits(quantity: Quantity): bigint {
  return scaledUp(quantity.nano, BILLION);
}

/** Thousandths (millicores), rounded away from zero. */
export function milliUnits(quantity: Quantity): bigint {
  return scaledUp(quantity.nano, 1_000_000n);
}
