import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { configMaps, leases, nodes, pods, secrets, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { createSigningRequest } from "../../lib/pki/signing-request.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { type Ask, type Face, grpcFace, restFace } from "./faces.ts";

let fixture: ApiFixture;
const certificates: Record<string, KeyPair> = {};
const uids: Record<string, string> = {};
let foreignRequest = "";

beforeAll(async () => {
  fixture = await startApi();
  const { client } = fixture;
  for (const name of ["n1", "n2"]) {
    certificates[name] = await fixture.clientCertificate(`system:node:${name}`, ["system:nodes"]);
    await client.create(nodes, { metadata: { name }, spec: { taints: [{ key: "own", effect: "NoSchedule" }] } });
    await client.create(leases, { metadata: { name, namespace: "kube-node-lease" } });
    await client.create(serviceAccounts, { metadata: { name: `of-${name}`, namespace: "default" } });
    for (const kind of [`secret-of-${name}`])
      await client.create(secrets, { metadata: { name: kind, namespace: "default" } });
    await client.create(configMaps, { metadata: { name: `map-of-${name}`, namespace: "default" } });
    const pod = await client.create(pods, {
      metadata: { name: `pod-of-${name}`, namespace: "default" },
      spec: {
        nodeName: name,
        serviceAccountName: `of-${name}`,
        containers: [{ name: "c", image: "i", envFrom: [{ configMapRef: { name: `map-of-${name}` } }] }],
        volumes: [{ name: "s", secret: { secretName: `secret-of-${name}` } }],
      },
    });
    uids[name] = pod.metadata?.uid ?? "";
  }
  certificates["impostor"] = await fixture.clientCertificate("system:node:n1", []);
  certificates["scheduler"] = await fixture.clientCertificate("system:kube-scheduler", []);
  const subject = { commonName: "system:node:n2", organizations: ["system:nodes"] };
  foreignRequest = Buffer.from((await createSigningRequest(subject)).requestPem).toString("base64");
});
afterAll(() => fixture.stop());

const inDefault = { namespace: "default" };
const node = (metadata: object, spec: object = {}) => ({ apiVersion: "v1", kind: "Node", metadata, spec });
const owner = { apiVersion: "v1", kind: "Node", name: "n2", uid: "u" };
const tokenFor = (pod: string) => () => ({
  apiVersion: "authentication.k8s.io/v1",
  kind: "TokenRequest",
  spec: { audiences: [], boundObjectRef: { apiVersion: "v1", kind: "Pod", name: `pod-of-${pod}`, uid: uids[pod] } },
});

/** What n1 asks; n2 asks the same of the same objects, so that whatever only n1 may is not its. */
const table: readonly (readonly [ask: Ask & { make?: () => object }, n1: boolean, n2: boolean])[] = [
  [{ verb: "get", what: "/secrets", ...inDefault, name: "secret-of-n1" }, true, false],
  [{ verb: "watch", what: "/secrets", ...inDefault, selector: "metadata.name=secret-of-n1" }, true, false],
  [{ verb: "list", what: "/secrets", ...inDefault }, false, false],
  [{ verb: "list", what: "/secrets", selector: "metadata.name=secret-of-n1" }, false, false],
  [{ verb: "get", what: "/configmaps", ...inDefault, name: "map-of-n1" }, true, false],
  [
    { verb: "get", what: "/configmaps", namespace: "kube-system", name: "extension-apiserver-authentication" },
    true,
    true,
  ],
  [{ verb: "list", what: "/configmaps" }, false, false],
  [{ verb: "patch", what: "/configmaps", ...inDefault, name: "map-of-n1", body: { data: { a: "b" } } }, false, false],
  [{ verb: "get", what: "/pods", ...inDefault, name: "pod-of-n1" }, true, false],
  [{ verb: "list", what: "/pods" }, false, false],
  [{ verb: "list", what: "/pods", selector: "spec.nodeName=n1" }, true, false],
  [{ verb: "watch", what: "/pods", selector: "spec.nodeName=n1" }, true, false],
  [
    { verb: "patch", what: "/pods", ...inDefault, name: "pod-of-n1", body: { metadata: { labels: { a: "b" } } } },
    false,
    false,
  ],
  [
    { verb: "patch", what: "/pods/status", ...inDefault, name: "pod-of-n1", body: { status: { message: "m" } } },
    true,
    false,
  ],
  [
    {
      verb: "patch",
      what: "/pods/status",
      ...inDefault,
      name: "pod-of-n1",
      body: { metadata: { labels: { a: "b" } } },
    },
    false,
    false,
  ],
  [{ verb: "delete", what: "/pods", ...inDefault, name: "pod-of-n1" }, true, false],
  [
    {
      verb: "create",
      what: "/pods",
      ...inDefault,
      body: {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "x" },
        spec: { nodeName: "n1", containers: [{ name: "c", image: "i" }] },
      },
    },
    false,
    false,
  ],
  [
    {
      verb: "create",
      what: "/pods/binding",
      ...inDefault,
      name: "pod-of-n1",
      body: { apiVersion: "v1", kind: "Binding", metadata: { name: "pod-of-n1" }, target: { name: "n1" } },
    },
    false,
    false,
  ],
  [
    {
      verb: "create",
      what: "/pods/eviction",
      ...inDefault,
      name: "pod-of-n1",
      body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "pod-of-n1" } },
    },
    true,
    false,
  ],
  [{ verb: "create", what: "/serviceaccounts/token", ...inDefault, name: "of-n1", make: tokenFor("n1") }, true, false],
  [{ verb: "create", what: "/serviceaccounts/token", ...inDefault, name: "of-n1", make: tokenFor("n2") }, false, false],
  [{ verb: "get", what: "/nodes", name: "n1" }, true, false],
  [{ verb: "list", what: "/nodes" }, false, false],
  [{ verb: "patch", what: "/nodes", name: "n1", body: { metadata: { annotations: { a: "b" } } } }, true, false],
  [{ verb: "patch", what: "/nodes/status", name: "n1", body: { status: { phase: "Running" } } }, true, false],
  [{ verb: "patch", what: "/nodes", name: "n1", body: { metadata: { ownerReferences: [owner] } } }, false, false],
  [
    { verb: "patch", what: "/nodes/status", name: "n1", body: { metadata: { ownerReferences: [owner] } } },
    false,
    false,
  ],
  [{ verb: "patch", what: "/nodes", name: "n1", body: { spec: { taints: [] } } }, false, false],
  [
    {
      verb: "patch",
      what: "/nodes",
      name: "n1",
      body: { metadata: { labels: { "node-restriction.kubernetes.io/a": "b" } } },
    },
    false,
    false,
  ],
  [
    {
      verb: "patch",
      what: "/nodes/status",
      name: "n1",
      body: { metadata: { labels: { "node-role.kubernetes.io/control-plane": "" } } },
    },
    false,
    false,
  ],
  [
    {
      verb: "patch",
      what: "/nodes",
      name: "n1",
      body: { metadata: { labels: { "node.kubernetes.io/a": "b", own: "c" } } },
    },
    true,
    false,
  ],
  [{ verb: "create", what: "/nodes", body: node({ name: "n3" }) }, false, false],
  [{ verb: "delete", what: "/nodes", name: "n1" }, false, false],
  [{ verb: "get", what: "coordination.k8s.io/leases", namespace: "kube-node-lease", name: "n1" }, true, false],
  [
    {
      verb: "patch",
      what: "coordination.k8s.io/leases",
      namespace: "kube-node-lease",
      name: "n1",
      body: { spec: { leaseDurationSeconds: 5 } },
    },
    true,
    false,
  ],
  [
    {
      verb: "create",
      what: "coordination.k8s.io/leases",
      namespace: "kube-node-lease",
      body: { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "n3" } },
    },
    false,
    false,
  ],
  [{ verb: "get", what: "coordination.k8s.io/leases", namespace: "kube-system", name: "kube-scheduler" }, false, false],
  [{ verb: "list", what: "/services" }, true, true],
  [{ verb: "list", what: "/namespaces" }, false, false],
  [
    {
      verb: "create",
      what: "certificates.k8s.io/certificatesigningrequests",
      make: () => ({
        apiVersion: "certificates.k8s.io/v1",
        kind: "CertificateSigningRequest",
        metadata: { name: "r" },
        spec: { request: foreignRequest, signerName: "kubernetes.io/kubelet-serving", usages: ["server auth"] },
      }),
    },
    false,
    true,
  ],
  [{ verb: "list", what: "certificates.k8s.io/certificatesigningrequests" }, false, false],
];

describe.each<[string, () => Face]>([
  ["REST", () => restFace(fixture)],
  ["gRPC", () => grpcFace(fixture)],
])("invariant 52 over %s", (_, face) => {
  test.each(table)("%j: n1 %s, n2 %s", async ({ make, ...ask }, n1, n2) => {
    const asked = make === undefined ? ask : { ...ask, body: make() };
    const refusals = [await face()(certificates["n1"]!, asked), await face()(certificates["n2"]!, asked)];
    expect(
      refusals.map((refusal) => refusal === ""),
      refusals.join("\n"),
    ).toEqual([n1, n2]);
  });

  test("a certificate with a node's name and without its group is nobody's; a role has its own rights", async () => {
    const secret: Ask = { verb: "get", what: "/secrets", ...inDefault, name: "secret-of-n1" };
    expect(await face()(certificates["impostor"]!, secret)).toContain('User "system:node:n1" cannot get');
    expect(await face()(certificates["scheduler"]!, secret)).toContain('User "system:kube-scheduler" cannot get');
    expect(await face()(certificates["scheduler"]!, { verb: "list", what: "/nodes" })).toBe("");
  });
});

test("both faces say the same", async () => {
  const asks: Ask[] = [
    { verb: "get", what: "/secrets", ...inDefault, name: "secret-of-n2" },
    { verb: "patch", what: "/nodes", name: "n1", body: { spec: { taints: [] } } },
    { verb: "watch", what: "/pods" },
  ];
  for (const ask of asks) {
    const [rest, grpc] = [restFace(fixture), grpcFace(fixture)];
    expect(await grpc(certificates["n1"]!, ask)).toBe(await rest(certificates["n1"]!, ask));
  }
});
