import { listAt, metaOf, structAt, textAt, valueAt } from "../core/kube-object.ts";
import { qosClassOf } from "./qos-class.ts";
import type { Strategy } from "./strategy.ts";

const DEFAULT_GRACE_SECONDS = 30;

export const podStrategy: Strategy = {
  returnsDeleted: true,
  prepareCreate(object) {
    structAt(object, "status")["qosClass"] = qosClassOf(object);
  },
  prepareStatusUpdate(object, old) {
    const meta = metaOf(object);
    if (old.metadata?.ownerReferences === undefined) delete meta.ownerReferences;
    else meta.ownerReferences = [...old.metadata.ownerReferences];
    // The class follows from the spec and stays what it was.
    const qosClass = textAt(old, "status", "qosClass");
    if (qosClass !== "") structAt(object, "status")["qosClass"] = qosClass;
  },
  graceSeconds(object, asked) {
    const wished = asked ?? Number(valueAt(object, "spec", "terminationGracePeriodSeconds") ?? DEFAULT_GRACE_SECONDS);
    // Nobody runs it, or nothing of it runs any more.
    if (textAt(object, "spec", "nodeName") === "") return 0;
    if (["Succeeded", "Failed"].includes(textAt(object, "status", "phase"))) return 0;
    return wished < 0 ? 1 : wished;
  },
};

/** A gated pod may not be bound. */
export function hasSchedulingGates(pod: unknown): boolean {
  return listAt(pod, "spec", "schedulingGates").length > 0;
}
