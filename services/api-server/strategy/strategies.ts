import { certificateSigningRequestStrategy } from "./certificate-signing-request.ts";
import { configMapStrategy } from "./config-map.ts";
import { namespaceStrategy } from "./namespace.ts";
import { persistentVolumeClaimStrategy, persistentVolumeStrategy } from "./persistent-volumes.ts";
import { podStrategy } from "./pod.ts";
import { secretStrategy } from "./secret.ts";
import { serviceStrategy } from "./service.ts";
import { serviceAccountStrategy } from "./service-account.ts";
import type { Strategy } from "./strategy.ts";
import { daemonSetStrategy, deploymentStrategy } from "./workloads.ts";

/** Kinds with rules of their own, by `group/resource`. */
const strategies: ReadonlyMap<string, Strategy> = new Map([
  ["/configmaps", configMapStrategy],
  ["/namespaces", namespaceStrategy],
  ["/persistentvolumeclaims", persistentVolumeClaimStrategy],
  ["/persistentvolumes", persistentVolumeStrategy],
  ["/pods", podStrategy],
  ["/podtemplates", { returnsDeleted: true }],
  ["/resourcequotas", { returnsDeleted: true }],
  ["/secrets", secretStrategy],
  ["/serviceaccounts", serviceAccountStrategy],
  ["/services", serviceStrategy],
  ["apps/daemonsets", daemonSetStrategy],
  ["apps/deployments", deploymentStrategy],
  ["certificates.k8s.io/certificatesigningrequests", certificateSigningRequestStrategy],
]);

const plain: Strategy = {};

export function strategyOf(group: string, resource: string): Strategy {
  return strategies.get(`${group}/${resource}`) ?? plain;
}
