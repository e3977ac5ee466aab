import { type KubeObject, listAt } from "../core/kube-object.ts";
import type { Strategy } from "./strategy.ts";

function namesOnly(object: KubeObject): void {
  if (object["secrets"] === undefined) return;
  object["secrets"] = listAt(object, "secrets").map((secret) => ({ name: secret["name"] }));
}

export const serviceAccountStrategy: Strategy = {
  returnsDeleted: true,
  prepareCreate: namesOnly,
  prepareUpdate: namesOnly,
};
