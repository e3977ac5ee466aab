import type { Strategy } from "./strategy.ts";

export const secretStrategy: Strategy = {
  prepareUpdate(object, old) {
    // Old clients drop the type on update.
    if (object["type"] === undefined) object["type"] = old["type"];
  },
};
