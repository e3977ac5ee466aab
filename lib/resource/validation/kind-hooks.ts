import { certificateSigningRequestRules } from "./hooks/certificate-rules.ts";
import { bindingRules, configMapRules, namespaceRules, nodeRules, secretRules } from "./hooks/core-rules.ts";
import { endpointsRules } from "./hooks/endpoints-rules.ts";
import { podRules } from "./hooks/pod-rules.ts";
import {
  coreEventRules,
  eventRules,
  leaseRules,
  podDisruptionBudgetRules,
  priorityClassRules,
} from "./hooks/policy-rules.ts";
import { serviceRules } from "./hooks/service-rules.ts";
import { persistentVolumeClaimRules, persistentVolumeRules } from "./hooks/volume-claim-rules.ts";
import {
  controllerRevisionRules,
  daemonSetRules,
  deploymentRules,
  podTemplateRules,
  replicaSetRules,
  replicationControllerRules,
  statefulSetRules,
} from "./hooks/workload-rules.ts";
import type { KindRules } from "./kind-rules.ts";

/** By `group/Kind`; the core group is empty. */
const hooks: ReadonlyMap<string, KindRules> = new Map<string, KindRules>([
  ["/Binding", bindingRules],
  ["/ConfigMap", configMapRules],
  ["/Endpoints", endpointsRules],
  ["/Event", coreEventRules],
  ["/Namespace", namespaceRules],
  ["/Node", nodeRules],
  ["/PersistentVolume", persistentVolumeRules],
  ["/PersistentVolumeClaim", persistentVolumeClaimRules],
  ["/Pod", podRules],
  ["/PodTemplate", podTemplateRules],
  ["/ReplicationController", replicationControllerRules],
  ["/Secret", secretRules],
  ["/Service", serviceRules],
  ["apps/ControllerRevision", controllerRevisionRules],
  ["apps/DaemonSet", daemonSetRules],
  ["apps/Deployment", deploymentRules],
  ["apps/ReplicaSet", replicaSetRules],
  ["apps/StatefulSet", statefulSetRules],
  ["certificates.k8s.io/CertificateSigningRequest", certificateSigningRequestRules],
  ["coordination.k8s.io/Lease", leaseRules],
  ["events.k8s.io/Event", eventRules],
  ["policy/PodDisruptionBudget", podDisruptionBudgetRules],
  ["scheduling.k8s.io/PriorityClass", priorityClassRules],
]);

const none: KindRules = {};

/** What the hook of a kind knows; kinds without one are held to their annotations alone. */
export function kindRules(kind: { readonly group: string; readonly kind: string }): KindRules {
  return hooks.get(`${kind.group}/${kind.kind}`) ?? none;
}
