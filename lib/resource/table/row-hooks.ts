import { certificateSigningRequestRow } from "./hooks/certificate-row.ts";
import { componentStatusRow, configMapRow, limitRangeRow, resourceQuotaRow, secretRow } from "./hooks/core-rows.ts";
import { endpointsRow } from "./hooks/endpoints-row.ts";
import { coreEventRow, eventRow } from "./hooks/event-row.ts";
import { nodeRow } from "./hooks/node-row.ts";
import { podRow } from "./hooks/pod-row.ts";
import { podDisruptionBudgetRow } from "./hooks/policy-rows.ts";
import { serviceRow } from "./hooks/service-row.ts";
import { persistentVolumeClaimRow, persistentVolumeRow } from "./hooks/volume-rows.ts";
import {
  controllerRevisionRow,
  daemonSetRow,
  deploymentRow,
  podTemplateRow,
  replicaSetRow,
  replicationControllerRow,
  statefulSetRow,
} from "./hooks/workload-rows.ts";
import type { ComputedRow, RowHook } from "./row-hook.ts";

/** By `group/Kind`; the core group is empty. Kinds whose columns all have paths need none. */
const hooks: ReadonlyMap<string, RowHook> = new Map<string, RowHook>([
  ["/ComponentStatus", componentStatusRow],
  ["/ConfigMap", configMapRow],
  ["/Endpoints", endpointsRow],
  ["/Event", coreEventRow],
  ["/LimitRange", limitRangeRow],
  ["/Node", nodeRow],
  ["/PersistentVolume", persistentVolumeRow],
  ["/PersistentVolumeClaim", persistentVolumeClaimRow],
  ["/Pod", podRow],
  ["/PodTemplate", podTemplateRow],
  ["/ReplicationController", replicationControllerRow],
  ["/ResourceQuota", resourceQuotaRow],
  ["/Secret", secretRow],
  ["/Service", serviceRow],
  ["apps/ControllerRevision", controllerRevisionRow],
  ["apps/DaemonSet", daemonSetRow],
  ["apps/Deployment", deploymentRow],
  ["apps/ReplicaSet", replicaSetRow],
  ["apps/StatefulSet", statefulSetRow],
  ["certificates.k8s.io/CertificateSigningRequest", certificateSigningRequestRow],
  ["events.k8s.io/Event", eventRow],
  ["policy/PodDisruptionBudget", podDisruptionBudgetRow],
]);

/** The computed cells of an object of this kind. */
export function computedRow(kind: { group: string; kind: string }, object: object, nowMs: number): ComputedRow {
  const hook = hooks.get(`${kind.group}/${kind.kind}`);
  return hook === undefined ? { cells: {} } : hook(object as never, nowMs);
}
