import { expect, test } from "vitest";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { Codec } from "../../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import { parseFieldSelector } from "../../../lib/resource/selector/field-selector.ts";
import { CachedObject } from "../cache/cached-object.ts";
import { KindCache } from "../cache/kind-cache.ts";
import { MemoBudget } from "../cache/memo-budget.ts";
import type { WatchCache } from "../cache/watch-cache.ts";
import { KindTable } from "../core/kind-table.ts";
import type { KubeObject } from "../core/kube-object.ts";
import type { StoredKind } from "../core/stored-kind.ts";
import { type Attributes, AuthorizerList } from "./authorizer.ts";
import { nodeAuthorizer } from "./node-authorizer.ts";
import { NodeView } from "./node-view.ts";

const kinds = new KindTable(loadRegistry(kindDescriptors), new Codec({ maxYamlBytes: 1024 }));
const caches = new Map<StoredKind, KindCache>();
const budget = new MemoBudget(1024 * 1024);
const cache = {
  of(kind: StoredKind) {
    const known = caches.get(kind) ?? new KindCache(kind, { events: 10, sizeBytes: 1024 });
    caches.set(kind, known);
    return known;
  },
} as unknown as WatchCache;
let revision = 1;

function put(resource: string, object: KubeObject) {
  const kind = kinds.get("", "v1", resource).stored;
  const { namespace = "", name = "" } = object.metadata ?? {};
  const at = { kind, namespace, name };
  cache.of(kind).put(new CachedObject(at, { revision: revision++, stored: kind.encodeStored(object) }, budget));
}

function pod(name: string, nodeName: string, spec: object, annotations: Record<string, string> = {}) {
  put("pods", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", annotations },
    spec: { nodeName, ...spec },
  });
}

pod("web", "n1", {
  serviceAccountName: "seller",
  imagePullSecrets: [{ name: "pull" }],
  initContainers: [{ name: "i", env: [{ name: "A", valueFrom: { secretKeyRef: { name: "init-env", key: "k" } } }] }],
  containers: [{ name: "c", envFrom: [{ configMapRef: { name: "env" } }] }],
  volumes: [
    { name: "s", secret: { secretName: "mounted" } },
    { name: "p", projected: { sources: [{ configMap: { name: "projected" } }] } },
    { name: "d", persistentVolumeClaim: { claimName: "data" } },
    { name: "scratch", ephemeral: {} },
  ],
});
pod("other", "n2", { volumes: [{ name: "s", secret: { secretName: "of-n2" } }] });
pod(
  "mirror",
  "n1",
  { volumes: [{ name: "s", secret: { secretName: "mirrored" } }] },
  { "kubernetes.io/config.mirror": "x" },
);
const claim = { apiVersion: "v1", kind: "PersistentVolumeClaim" };
put("persistentvolumeclaims", {
  ...claim,
  metadata: { name: "data", namespace: "shop" },
  spec: { volumeName: "disk" },
});
put("persistentvolumes", {
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: "disk" },
  spec: {
    claimRef: { namespace: "shop", name: "data" },
    csi: { driver: "d", volumeHandle: "h", nodeStageSecretRef: { namespace: "storage", name: "stage" } },
  },
});
put("persistentvolumes", { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "foreign" }, spec: {} });

function asked(verb: string, what: string, selector?: string): Attributes {
  const [place = "", name = ""] = what.split(" ");
  const [namespace, path] = place.includes(":") ? place.split(":") : ["", place];
  const [group = "", resource = "", subresource = ""] = path!.split("/");
  const fieldSelector = selector === undefined ? undefined : parseFieldSelector(selector);
  return {
    ...{ identity: { user: "system:node:n1", groups: ["system:nodes"] }, verb, group, resource, subresource, path: "" },
    ...{ namespace: namespace!, name: name || (fieldSelector?.exactValue("metadata.name") ?? "") },
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

const authorizers = new AuthorizerList([nodeAuthorizer(new NodeView({ cache, kinds }))]);

test.each<[verb: string, what: string, allowed: boolean, selector?: string]>([
  ["get", "shop:/secrets mounted", true],
  ["get", "shop:/secrets pull", true],
  ["get", "shop:/secrets init-env", true],
  ["get", "storage:/secrets stage", true],
  ["get", "shop:/secrets of-n2", false],
  ["get", "shop:/secrets mirrored", false],
  ["get", "other:/secrets mounted", false],
  ["list", "shop:/secrets", false],
  ["watch", "/secrets", false],
  ["watch", "shop:/secrets", true, "metadata.name=mounted"],
  ["watch", "/secrets", false, "metadata.name=mounted"],
  ["list", "shop:/secrets", false, "metadata.name!=x"],
  ["list", "shop:/secrets", false, "metadata.name=of-n2"],
  ["update", "shop:/secrets mounted", false],
  ["delete", "shop:/secrets mounted", false],
  ["get", "shop:/configmaps env", true],
  ["get", "shop:/configmaps projected", true],
  ["get", "shop:/configmaps other", false],
  ["get", "shop:/persistentvolumeclaims data", true],
  ["get", "shop:/persistentvolumeclaims web-scratch", true],
  ["list", "shop:/persistentvolumeclaims", false, "metadata.name=data"],
  ["get", "/persistentvolumes disk", true],
  ["get", "/persistentvolumes foreign", false],
  ["create", "shop:/serviceaccounts/token seller", true],
  ["create", "shop:/serviceaccounts/token default", false],
  ["get", "shop:/serviceaccounts seller", true],
  ["create", "/nodes", true],
  ["get", "/nodes n1", true],
  ["get", "/nodes n2", false],
  ["list", "/nodes", false],
  ["watch", "/nodes", true, "metadata.name=n1"],
  ["update", "/nodes/status n1", true],
  ["patch", "/nodes/status n2", false],
  ["delete", "/nodes n1", false],
  ["list", "/pods", true, "spec.nodeName=n1"],
  ["watch", "/pods", true, "spec.nodeName=n1,metadata.namespace=shop"],
  ["watch", "/pods", false, "spec.nodeName=n2"],
  ["watch", "/pods", false, "spec.nodeName!=n1"],
  ["watch", "/pods", false],
  ["get", "shop:/pods web", true],
  ["get", "shop:/pods other", false],
  ["watch", "shop:/pods", true, "metadata.name=web"],
  ["watch", "shop:/pods", false, "metadata.name=other"],
  ["update", "shop:/pods web", false],
  ["get", "shop:/pods/log web", false],
  ["create", "shop:/pods/exec web", false],
  ["create", "shop:/pods/binding web", false],
  ["get", "kube-node-lease:coordination.k8s.io/leases n1", true],
  ["update", "kube-node-lease:coordination.k8s.io/leases n1", true],
  ["update", "kube-node-lease:coordination.k8s.io/leases n2", false],
  ["create", "kube-node-lease:coordination.k8s.io/leases", true],
  ["list", "kube-node-lease:coordination.k8s.io/leases", false],
  ["get", "kube-system:coordination.k8s.io/leases n1", false],
  ["create", "shop:/events", true],
  ["delete", "shop:/events e", false],
  ["list", "shop:/services", true],
  ["get", "/namespaces shop", false],
  ["create", "rbac.authorization.k8s.io/clusterrolebindings", false],
])("node n1: %s %s: %s %s", async (verb, what, allowed, selector) => {
  expect(await authorizers.isAllowed(asked(verb, what, selector))).toBe(allowed);
});

test.each([
  ["system:node:n1", ["system:authenticated"]],
  ["system:node:", ["system:nodes"]],
  ["n1", ["system:nodes"]],
])("%s in %j is no node", async (user, groups) => {
  const request = { ...asked("get", "shop:/secrets mounted"), identity: { user, groups } };
  expect(await authorizers.isAllowed(request)).toBe(false);
});

test("a pod that moved away takes its rights along, and one that is new here is looked for in newer state", async () => {
  const request = asked("get", "shop:/secrets late");
  let asks = 0;
  const waiting = new AuthorizerList([nodeAuthorizer(new NodeView({ cache, kinds }))], async () => {
    asks++;
    pod("late", "n1", { volumes: [{ name: "s", secret: { secretName: "late" } }] });
  });
  expect(await authorizers.isAllowed(request)).toBe(false);
  expect(await waiting.isAllowed(request)).toBe(true);
  expect(await waiting.isAllowed(request)).toBe(true);
  expect(asks).toBe(1);
  cache.of(kinds.get("", "v1", "pods").stored).delete("shop/late", revision++);
  expect(await authorizers.isAllowed(request)).toBe(false);
});
