import { emptyObject, isJsonObject, memberOf } from "../../json-value.ts";
import type { DefaultHook } from "../default-hook.ts";

/** `stringData` is for writing alone: its texts become data, and win over what is there. */
export const secretStringData: DefaultHook = (secret) => {
  const texts = memberOf(secret, "stringData");
  if (!isJsonObject(texts)) return;
  const before = memberOf(secret, "data");
  const data = isJsonObject(before) ? before : emptyObject();
  for (const name of Object.keys(texts)) data[name] = Buffer.from(String(texts[name])).toString("base64");
  delete secret["stringData"];
  if (Object.keys(data).length > 0) secret["data"] = data;
};
