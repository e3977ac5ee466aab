import { emptyObject, isJsonObject, type JsonObject } from "../../json-value.ts";
import type { DefaultHook } from "../default-hook.ts";

function copyMissing(from: JsonObject, to: JsonObject): void {
  for (const [name, amount] of Object.entries(from)) if (!Object.hasOwn(to, name)) to[name] = amount;
}

/** For containers: limits come from the maximum, requests from the limits, then from the minimum. */
export const limitRangeItem: DefaultHook = (item) => {
  if (item["type"] !== "Container") return;
  const part = (name: string): JsonObject => (isJsonObject(item[name]) ? item[name] : emptyObject());
  const limits = part("default");
  const requests = part("defaultRequest");
  copyMissing(part("max"), limits);
  copyMissing(limits, requests);
  copyMissing(part("min"), requests);
  if (Object.keys(limits).length > 0) item["default"] = limits;
  if (Object.keys(requests).length > 0) item["defaultRequest"] = requests;
};
