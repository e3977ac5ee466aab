import { formatTime } from "../../../lib/core/clock.ts";
import { isRecord, type KubeObject, listAt, structAt, textAt } from "../core/kube-object.ts";
import type { Strategy } from "./strategy.ts";

/**
 * Who asks is what the server knows of them, and nothing of the request changes afterwards. A decision touches the conditions
 * only. Source of behaviour: kubernetes/kubernetes:pkg/registry/certificates.
 */
export const certificateSigningRequestStrategy: Strategy = {
  prepareCreate(object, { identity }) {
    const spec = structAt(object, "spec");
    spec["username"] = identity.user;
    setOrDrop(spec, "uid", identity.uid);
    setOrDrop(spec, "groups", identity.groups.length === 0 ? undefined : [...identity.groups]);
    const extra = Object.entries(identity.extra ?? {}).map(([key, values]) => [key, [...values]]);
    setOrDrop(spec, "extra", extra.length === 0 ? undefined : Object.fromEntries(extra));
  },
  prepareUpdate(object, old) {
    object["spec"] = old["spec"];
  },
  prepareStatusUpdate(object, old, { nowMs, subresource }) {
    if (subresource === "approval") keepCertificate(object, old);
    stampConditions(object, old, formatTime(nowMs));
  },
};

function setOrDrop(spec: Record<string, unknown>, member: string, value: unknown): void {
  if (value === undefined) delete spec[member];
  else spec[member] = value;
}

function keepCertificate(object: KubeObject, old: KubeObject): void {
  const certificate = textAt(old, "status", "certificate");
  setOrDrop(structAt(object, "status"), "certificate", certificate === "" ? undefined : certificate);
}

/** Times that the client did not say are now; a condition that is as it was keeps its own. */
function stampConditions(object: KubeObject, old: KubeObject, now: string): void {
  for (const condition of listAt(object, "status", "conditions")) {
    if (!isRecord(condition)) continue;
    const before = listAt(old, "status", "conditions").find((one) => one["type"] === condition["type"]);
    condition["lastUpdateTime"] ??= now;
    if (before !== undefined && before["status"] === condition["status"]) {
      condition["lastTransitionTime"] ??= before["lastTransitionTime"] ?? now;
    } else {
      condition["lastTransitionTime"] ??= now;
    }
  }
}
