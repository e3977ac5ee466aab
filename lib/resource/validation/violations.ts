import type { StatusCause } from "../../core/status-error.ts";
import type { FieldPath } from "../field-path.ts";

/**
 * Collects all that is wrong with an object, in the reasons and words of upstream's causes.
 * Source: kubernetes/apimachinery:pkg/util/validation/field.
 */
export class Violations {
  readonly causes: StatusCause[] = [];

  required(path: FieldPath, detail = ""): void {
    this.#add("FieldValueRequired", path, "Required value", detail);
  }

  invalid(path: FieldPath, value: unknown, detail: string): void {
    this.#add("FieldValueInvalid", path, `Invalid value: ${shown(value)}`, detail);
  }

  /** One violation for each problem. */
  invalidEach(path: FieldPath, value: unknown, problems: readonly string[]): void {
    for (const problem of problems) this.invalid(path, value, problem);
  }

  notSupported(path: FieldPath, value: unknown, supported: readonly string[]): void {
    const values = supported.map((one) => JSON.stringify(one)).join(", ");
    this.#add("FieldValueNotSupported", path, `Unsupported value: ${shown(value)}`, `supported values: ${values}`);
  }

  duplicate(path: FieldPath, value: unknown): void {
    this.#add("FieldValueDuplicate", path, `Duplicate value: ${shown(value)}`, "");
  }

  notFound(path: FieldPath, value: unknown): void {
    this.#add("FieldValueNotFound", path, `Not found: ${shown(value)}`, "");
  }

  forbidden(path: FieldPath, detail: string): void {
    this.#add("FieldValueForbidden", path, "Forbidden", detail);
  }

  tooLong(path: FieldPath, limitBytes: number): void {
    this.#add("FieldValueTooLong", path, "Too long", `may not be more than ${limitBytes} bytes`);
  }

  #add(reason: string, path: FieldPath, message: string, detail: string): void {
    this.causes.push({ reason, message: detail === "" ? message : `${message}: ${detail}`, field: path.toString() });
  }
}

function shown(value: unknown): string {
  if (value === undefined) return "null";
  if (typeof value === "bigint") return String(value);
  return JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? String(item) : item));
}
