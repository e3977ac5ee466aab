import { emptyBytes } from "./empty-bytes.ts";
import type { Strategy } from "./strategy.ts";

export const secretStrategy: Strategy = {
  prepareCreate: (object) => emptyBytes(object, "data"),
  prepareUpdate(object, old) {
    emptyBytes(object, "data");
    // Old clients drop the type on update.
    if (object["type"] === undefined) object["type"] = old["type"];
  },
};
