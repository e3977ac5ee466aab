import { emptyBytes } from "./empty-bytes.ts";
import type { Strategy } from "./strategy.ts";

export const configMapStrategy: Strategy = {
  prepareCreate: (object) => emptyBytes(object, "binaryData"),
  prepareUpdate: (object) => emptyBytes(object, "binaryData"),
};
