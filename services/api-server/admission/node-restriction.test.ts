import { expect, test } from "vitest";
import type { KubeObject } from "../core/kube-object.ts";
import type { Target } from "../core/request.ts";
import type { AdmissionRequest } from "./admission.ts";
import type { CachedReads } from "./cached-reads.ts";
import { NodeRestriction } from "./node-restriction.ts";

const objects: Record<string, KubeObject> = {
  "nodes//n1": { metadata: { name: "n1", uid: "u1" } },
  "pods/default/mine": { metadata: { name: "mine", uid: "p1" }, spec: { nodeName: "n1" } },
  "pods/default/other": { metadata: { name: "other", uid: "p2" }, spec: { nodeName: "n2" } },
};
const reads = {
  find: async (resource: string, namespace: string, name: string) => objects[`${resource}/${namespace}/${name}`],
} as unknown as CachedReads;

interface Case {
  readonly what: string;
  readonly name?: string;
  readonly object?: KubeObject;
  readonly old?: KubeObject;
  readonly refusal?: string;
}

async function admit({ what, name = "", object, old }: Case): Promise<void> {
  const [group = "", resource = "", subresource = ""] = what.split("/");
  const target = { kind: { definition: { group, resource } }, namespace: "default", name, subresource };
  if (group === "coordination.k8s.io") target.namespace = object?.metadata?.namespace ?? "kube-node-lease";
  const identity = { user: "system:node:n1", groups: ["system:nodes"] };
  const request: AdmissionRequest = {
    operation: object === undefined ? "DELETE" : old === undefined ? "CREATE" : "UPDATE",
    target: target as unknown as Target,
    call: { identity, signal: new AbortController().signal, warnings: [] },
    object,
    old,
    dryRun: false,
  };
  await new NodeRestriction(reads).mutate(request);
}

const node = (meta: object, spec: object = {}): KubeObject => ({ metadata: { name: "n1", ...meta }, spec });
const owner = { apiVersion: "v1", kind: "Node", name: "n1", uid: "u1", controller: true };
const mirror = (meta: object = {}, spec: object = {}): KubeObject => ({
  metadata: { name: "m", annotations: { "kubernetes.io/config.mirror": "h" }, ownerReferences: [owner], ...meta },
  spec: { nodeName: "n1", ...spec },
});
const bound = (reference: object): KubeObject => ({
  spec: { boundObjectRef: { apiVersion: "v1", kind: "Pod", ...reference } },
});
const mine = objects["pods/default/mine"]!;

test.each<[string, Case]>([
  [
    "makes its own Node with taints and what describes it",
    {
      what: "/nodes",
      object: node(
        { labels: { "kubernetes.io/arch": "x", "node.kubernetes.io/a": "b", own: "x" } },
        { taints: [{ key: "a" }] },
      ),
    },
  ],
  [
    "another's Node",
    { what: "/nodes", object: { metadata: { name: "n2" } }, refusal: 'node "n1" is not allowed to modify node "n2"' },
  ],
  [
    "another's status",
    {
      what: "/nodes/status",
      name: "n2",
      object: { metadata: { name: "n2" } },
      old: { metadata: { name: "n2" } },
      refusal: "not allowed to modify node",
    },
  ],
  [
    "a restricted label at birth",
    {
      what: "/nodes",
      object: node({ labels: { "zone.node-restriction.kubernetes.io/a": "b" } }),
      refusal: "not allowed to set the following labels: zone.node-restriction.kubernetes.io/a",
    },
  ],
  [
    "a label of the cluster",
    {
      what: "/nodes",
      name: "n1",
      object: node({ labels: { "node-role.kubernetes.io/control-plane": "" } }),
      old: node({}),
      refusal: "is not allowed to modify labels: node-role.kubernetes.io/control-plane",
    },
  ],
  [
    "takes a restricted label away",
    {
      what: "/nodes",
      name: "n1",
      object: node({}),
      old: node({ labels: { "node-restriction.kubernetes.io/a": "b" } }),
      refusal: "modify labels",
    },
  ],
  [
    "a restricted label by its status",
    {
      what: "/nodes/status",
      name: "n1",
      object: node({ labels: { "x.k8s.io/a": "b" } }),
      old: node({}),
      refusal: "modify labels",
    },
  ],
  [
    "keeps a restricted label",
    {
      what: "/nodes",
      name: "n1",
      object: node({ labels: { "x.k8s.io/a": "b", own: "1" } }),
      old: node({ labels: { "x.k8s.io/a": "b" } }),
    },
  ],
  [
    "takes a taint away",
    {
      what: "/nodes",
      name: "n1",
      object: node({}),
      old: node({}, { taints: [{ key: "a" }] }),
      refusal: 'node "n1" is not allowed to modify taints',
    },
  ],
  [
    "an owner of its Node",
    {
      what: "/nodes",
      name: "n1",
      object: node({ ownerReferences: [owner] }),
      old: node({}),
      refusal: 'node "n1" is not allowed to modify ownerReferences',
    },
  ],
  [
    "an owner of its Node at birth",
    { what: "/nodes", object: node({ ownerReferences: [owner] }), refusal: "ownerReferences" },
  ],
  [
    "an owner by its status",
    {
      what: "/nodes/status",
      name: "n1",
      object: node({ ownerReferences: [owner] }),
      old: node({}),
      refusal: "ownerReferences",
    },
  ],
  ["a configSource", { what: "/nodes", object: node({}, { configSource: {} }), refusal: "configSource" }],
  ["a mirror of a static pod", { what: "/pods", object: mirror() }],
  [
    "an ordinary pod",
    {
      what: "/pods",
      object: { metadata: { name: "x" }, spec: { nodeName: "n1" } },
      refusal: "can only create mirror pods",
    },
  ],
  [
    "a mirror on another node",
    { what: "/pods", object: mirror({}, { nodeName: "n2" }), refusal: "with spec.nodeName set to itself" },
  ],
  [
    "a mirror without an owner",
    { what: "/pods", object: mirror({ ownerReferences: [] }), refusal: "an owner reference set to itself" },
  ],
  [
    "a mirror with another owner",
    {
      what: "/pods",
      object: mirror({ ownerReferences: [{ ...owner, name: "n2" }] }),
      refusal: "owner reference set to itself",
    },
  ],
  [
    "a mirror with an earlier Node as owner",
    {
      what: "/pods",
      object: mirror({ ownerReferences: [{ ...owner, uid: "u0" }] }),
      refusal: "UID mismatch: expected u0 got u1",
    },
  ],
  [
    "a mirror that blocks",
    {
      what: "/pods",
      object: mirror({ ownerReferences: [{ ...owner, blockOwnerDeletion: true }] }),
      refusal: "must not set blockOwnerDeletion",
    },
  ],
  [
    "a mirror with a Secret",
    {
      what: "/pods",
      object: mirror({}, { volumes: [{ secret: { secretName: "s" } }] }),
      refusal: "can not create pods that reference secrets",
    },
  ],
  [
    "a mirror with an account",
    { what: "/pods", object: mirror({}, { serviceAccountName: "a" }), refusal: "reference a service account" },
  ],
  ["deletes its pod", { what: "/pods", name: "mine", old: mine }],
  [
    "deletes another's pod",
    {
      what: "/pods",
      name: "other",
      old: objects["pods/default/other"]!,
      refusal: "can only delete pods with spec.nodeName set to itself",
    },
  ],
  ["its pod's status", { what: "/pods/status", name: "mine", object: mine, old: mine }],
  [
    "labels by a pod's status",
    {
      what: "/pods/status",
      name: "mine",
      object: { ...mine, metadata: { labels: { a: "b" } } },
      old: mine,
      refusal: 'node "n1" cannot update labels through pod status',
    },
  ],
  [
    "another's pod's status",
    {
      what: "/pods/status",
      name: "other",
      object: mine,
      old: objects["pods/default/other"]!,
      refusal: "can only update pod status for pods",
    },
  ],
  ["evicts its pod", { what: "/pods/eviction", name: "mine", object: {} }],
  ["evicts another's pod", { what: "/pods/eviction", name: "other", object: {}, refusal: "can only evict pods" }],
  ["a token for its pod", { what: "/serviceaccounts/token", name: "a", object: bound({ name: "mine", uid: "p1" }) }],
  [
    "a token for nothing",
    { what: "/serviceaccounts/token", name: "a", object: { spec: {} }, refusal: "not bound to a pod" },
  ],
  [
    "a token for a name",
    { what: "/serviceaccounts/token", name: "a", object: bound({ name: "mine" }), refusal: "without a uid" },
  ],
  [
    "a token for another's pod",
    {
      what: "/serviceaccounts/token",
      name: "a",
      object: bound({ name: "other", uid: "p2" }),
      refusal: "scheduled on a different node",
    },
  ],
  ["its Lease", { what: "coordination.k8s.io/leases", object: { metadata: { name: "n1" } } }],
  [
    "another's Lease",
    {
      what: "coordination.k8s.io/leases",
      object: { metadata: { name: "n2" } },
      refusal: "same name as the requesting node",
    },
  ],
  [
    "a Lease elsewhere",
    {
      what: "coordination.k8s.io/leases",
      object: { metadata: { name: "n1", namespace: "default" } },
      refusal: "can only access leases in",
    },
  ],
])("node n1: %s", async (_, one) => {
  if (one.refusal === undefined) await admit(one);
  else await expect(admit(one)).rejects.toThrow(one.refusal);
});
