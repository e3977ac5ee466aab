import { addQuantities, compareQuantities, formatQuantity, parseQuantity } from "../../core/quantity.ts";
import { isJsonObject, type JsonObject, memberOf } from "../json-value.ts";

const THOUSANDTH_NANO = 1_000_000n;

/** False only for texts that may have parts below 1m; such are rare. */
export function isWholeThousandths(text: string): boolean {
  return !/[nu.e]/.test(text);
}

/** Amounts of resources are kept to 1m, rounded up. A text that is no quantity stays as it is: validation names it. */
export function roundUpToThousandths(text: string): string {
  let nano: bigint;
  let format: ReturnType<typeof parseQuantity>["format"];
  try {
    ({ nano, format } = parseQuantity(text));
  } catch {
    return text;
  }
  const rest = nano % THOUSANDTH_NANO;
  if (rest === 0n) return text;
  const rounded = rest > 0n ? nano - rest + THOUSANDTH_NANO : nano - rest - THOUSANDTH_NANO;
  return formatQuantity({ nano: rounded, format });
}

/** The amount of one resource in a map of them, `requests` or `limits` of a container for instance. */
export function amountOf(holder: JsonObject | undefined, list: string, resource: string): string | undefined {
  const amounts = holder === undefined ? undefined : memberOf(holder, list);
  const amount = isJsonObject(amounts) ? memberOf(amounts, resource) : undefined;
  return typeof amount === "string" ? amount : undefined;
}

export function sumAmounts(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return formatQuantity(addQuantities(parseQuantity(left), parseQuantity(right)));
}

export function maxAmount(left: string | undefined, right: string | undefined): string | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return compareQuantities(parseQuantity(left), parseQuantity(right)) >= 0 ? left : right;
}
