import { clusterInfoController } from "./bootstrap-info/cluster-info-controller.ts";
import { tokenCleaner } from "./bootstrap-tokens/token-cleaner.ts";
import { approvingController } from "./certificate-approving/approving-controller.ts";
import { cleanerController } from "./certificate-cleaner/cleaner-controller.ts";
import { signingController } from "./certificate-signing/signing-controller.ts";
import { deploymentController } from "./deployment/deployment-controller.ts";
import { disruptionController } from "./disruption/disruption-controller.ts";
import { garbageCollector } from "./garbage-collector/garbage-collector.ts";
import type { ControllerFactory } from "./manager-context.ts";
import { namespaceController } from "./namespace/namespace-controller.ts";
import { nodeLifeCycle } from "./node-life-cycle/node-life-cycle.ts";
import { taintEviction } from "./node-life-cycle/taint-eviction.ts";
import { podGarbageCollector } from "./pod-gc/pod-gc.ts";
import { replicaSetController } from "./replica-set/replica-set-controller.ts";
import { rootCaController } from "./root-ca/root-ca-controller.ts";
import { serviceAccountController } from "./service-account/service-account-controller.ts";

/** Every controller, in the order of starting; they stop in the opposite order. */
export const CONTROLLERS: readonly (readonly [name: string, make: ControllerFactory])[] = [
  // Ready and the taints that follow from a node's conditions
  ["node-lifecycle", nodeLifeCycle],
  // pods leave nodes with NoExecute taints
  ["taint-eviction", taintEviction],
  // the ServiceAccount "default" of each namespace
  ["serviceaccount", serviceAccountController],
  // the ConfigMap kube-root-ca.crt of each namespace
  ["root-ca-certificate-publisher", rootCaController],
  // as many pods as a ReplicaSet asks for
  ["replicaset", replicaSetController],
  // ReplicaSets by a Deployment's template, rolled over
  ["deployment", deploymentController],
  // how many evictions each PodDisruptionBudget allows
  ["disruption", disruptionController],
  // pods that no node will report about any more
  ["pod-garbage-collector", podGarbageCollector],
  // nodes and machines that join get the certificates of their own name
  ["certificatesigningrequest-approving-controller", approvingController],
  // approved requests become certificates
  ["certificatesigningrequest-signing-controller", signingController],
  // what machines must know of the cluster before they join, and the end of their tokens
  ["cluster-info-publisher", clusterInfoController],
  ["token-cleaner-controller", tokenCleaner],
  // requests that are done, or that nobody decides about, go
  ["certificatesigningrequest-cleaner-controller", cleanerController],
  // objects whose owners are gone; foreground and orphaning deletion
  ["garbage-collector", garbageCollector],
  // empties namespaces that are being deleted
  ["namespace", namespaceController],
];
