import type { AccessRule } from "./access-rule.ts";

/** Who has some rules: a user by name, or everybody of a group. */
export interface RoleGrant {
  readonly user?: string;
  readonly group?: string;
  readonly rules: readonly AccessRule[];
}

const READ = ["get", "list", "watch"];
const EVENTS: AccessRule = {
  verbs: ["create", "patch", "update"],
  groups: ["", "events.k8s.io"],
  resources: ["events"],
};
/** What any role or node may know about the cluster's authorities. */
const AUTHORITIES: AccessRule = {
  verbs: READ,
  groups: [""],
  resources: ["configmaps"],
  namespaces: ["kube-system"],
  names: ["extension-apiserver-authentication"],
};

/** A create names nothing yet when it is judged, so that it is allowed in the namespace of the leases as a whole. */
function leaderLease(name: string): readonly AccessRule[] {
  const where = { groups: ["coordination.k8s.io"], resources: ["leases"], namespaces: ["kube-system"] };
  return [
    { verbs: ["create"], ...where },
    { verbs: [...READ, "update", "patch"], ...where, names: [name] },
  ];
}

const SCHEDULER: readonly AccessRule[] = [
  EVENTS,
  AUTHORITIES,
  ...leaderLease("kube-scheduler"),
  { verbs: READ, groups: [""], resources: ["nodes", "namespaces", "pods"] },
  { verbs: READ, groups: ["policy"], resources: ["poddisruptionbudgets"] },
  { verbs: ["create"], groups: [""], resources: ["bindings", "pods/binding"] },
  { verbs: ["patch", "update"], groups: [""], resources: ["pods/status"] },
  // whom it evicts for a pod of a higher priority
  { verbs: ["delete"], groups: [""], resources: ["pods"] },
];

const APPROVED_SIGNERS = ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];
const CONTROLLER_MANAGER: readonly AccessRule[] = [
  EVENTS,
  ...leaderLease("kube-controller-manager"),
  // The garbage collector and the emptying of namespaces see, mark and delete objects of every kind.
  { verbs: [...READ, "patch", "delete", "deletecollection"], groups: ["*"], resources: ["*"] },
  { verbs: ["create"], groups: [""], resources: ["configmaps", "pods", "serviceaccounts"] },
  { verbs: ["update"], groups: [""], resources: ["configmaps", "pods", "pods/status"] },
  { verbs: ["update"], groups: [""], resources: ["namespaces/finalize", "namespaces/status", "nodes", "nodes/status"] },
  { verbs: ["create"], groups: ["apps"], resources: ["replicasets"] },
  {
    verbs: ["update"],
    groups: ["apps"],
    resources: ["deployments", "deployments/status", "replicasets", "replicasets/status"],
  },
  { verbs: ["update"], groups: ["policy"], resources: ["poddisruptionbudgets/status"] },
  {
    verbs: ["update"],
    groups: ["certificates.k8s.io"],
    resources: ["certificatesigningrequests/approval", "certificatesigningrequests/status"],
  },
  { verbs: ["approve"], groups: ["certificates.k8s.io"], resources: ["signers"], names: APPROVED_SIGNERS },
  {
    verbs: ["sign"],
    groups: ["certificates.k8s.io"],
    resources: ["signers"],
    names: [...APPROVED_SIGNERS, "kubernetes.io/kube-apiserver-client"],
  },
];

/**
 * What the parts of the cluster itself may do. Until roles are objects these tables stand in for upstream's
 * (contracts/kubernetes-bootstrap.json), cut to what our roles do; several controllers there are one user here.
 */
export const ROLE_GRANTS: readonly RoleGrant[] = [
  { user: "system:kube-scheduler", rules: SCHEDULER },
  { user: "system:kube-controller-manager", rules: CONTROLLER_MANAGER },
  { group: "system:nodes", rules: [AUTHORITIES] },
  {
    // what a machine needs to know before it has any credentials
    group: "system:unauthenticated",
    rules: [
      { verbs: ["get"], groups: [""], resources: ["configmaps"], namespaces: ["kube-public"], names: ["cluster-info"] },
    ],
  },
];

/** What every node may do; what these rules say of objects is narrowed by `NodeAuthorizer` and `NodeRestriction`. */
export const NODE_RULES: readonly AccessRule[] = [
  EVENTS,
  { verbs: ["create"], groups: ["authentication.k8s.io"], resources: ["tokenreviews"] },
  { verbs: READ, groups: [""], resources: ["services"] },
  { verbs: [...READ, "create", "update", "patch"], groups: [""], resources: ["nodes"] },
  { verbs: ["update", "patch"], groups: [""], resources: ["nodes/status"] },
  { verbs: [...READ, "create", "delete"], groups: [""], resources: ["pods"] },
  { verbs: ["update", "patch"], groups: [""], resources: ["pods/status"] },
  { verbs: ["create"], groups: [""], resources: ["pods/eviction"] },
  { verbs: ["get"], groups: [""], resources: ["endpoints"] },
  { verbs: READ, groups: ["node.k8s.io"], resources: ["runtimeclasses"] },
  { verbs: READ, groups: ["storage.k8s.io"], resources: ["csidrivers"] },
];
