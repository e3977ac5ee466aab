import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { configMaps, leases, nodes, pods, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import {
  DeleteCollectionRequest,
  Encoding,
  type Fence,
  GetRequest,
  Operation,
  PatchRequest,
  PatchType,
  ResourcesDefinition,
  TransactRequest,
  UpdateRequest,
  WatchRequest,
} from "../../lib/gen/keelson/api/v1/resources.ts";
import { GrpcChannel, type ServiceClient } from "../../lib/transport/grpc-client.ts";
import type { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";

let api: ApiFixture;
const users: Record<string, KeyPair> = {};
const channels: GrpcChannel[] = [];

beforeAll(async () => {
  api = await startApi();
  const { client } = api;
  users["admin"] = api.admin;
  users["scheduler"] = await api.clientCertificate("system:kube-scheduler", []);
  users["nobody"] = await api.clientCertificate("nobody", ["people"]);
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  for (const name of ["n1", "n2"]) {
    users[name] = await api.clientCertificate(`system:node:${name}`, ["system:nodes"]);
    await client.create(nodes, { metadata: { name } });
    await client.create(pods, {
      metadata: { name: `pod-of-${name}`, namespace: "default" },
      spec: { nodeName: name, containers: [{ name: "c", image: "i" }] },
    });
  }
  await client.create(leases, {
    metadata: { name: "private", namespace: "kube-system" },
    spec: { holderIdentity: "me", leaseTransitions: 1 },
  });
});

afterAll(async () => {
  for (const channel of channels) channel.close();
  await api.stop();
});

function as(user: string): ServiceClient<typeof ResourcesDefinition> {
  const tls = { caPem: api.serverCaPem, ...users[user]! };
  const channel = new GrpcChannel({ target: `127.0.0.1:${api.api.grpcPort}`, tls });
  channels.push(channel);
  return channel.client(ResourcesDefinition);
}

async function outcome(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "OK",
    (error: unknown) => `${(error as RpcError).code} ${(error as Error).message}`,
  );
}

function target(path: string, name = "", namespace = "default") {
  const [group = "", resource = "", subresource = ""] = path.split("/");
  return { group, version: "v1", resource, namespace, name, subresource };
}

function json(object: object) {
  return { encoding: Encoding.ENCODING_JSON, data: Buffer.from(JSON.stringify(object)) };
}

function creates(path: string, object: object, namespace = "default", name = ""): Operation {
  const value = { target: target(path, name, namespace), object: json(object) };
  return Operation.fromPartial({ operation: { $case: "create", value } });
}

function merges(path: string, name: string, patch: object): Operation {
  const type = PatchType.PATCH_TYPE_MERGE;
  const value = { target: target(path, name), type, patch: Buffer.from(JSON.stringify(patch)) };
  return Operation.fromPartial({ operation: { $case: "patch", value } });
}

function deletes(path: string, name: string): Operation {
  return Operation.fromPartial({ operation: { $case: "delete", value: { target: target(path, name) } } });
}

async function transact(user: string, operations: readonly Operation[], fence?: Fence): Promise<string> {
  return await outcome(as(user).transact(TransactRequest.fromPartial({ operations: [...operations], fence })));
}

const status = (message: string) => ({ status: { message } });
const messageOf = async (name: string) =>
  (await api.client.get(pods, { namespace: "default", name })).status?.message ?? "";

describe("invariants 22, 51, 52: what is nested obeys the rules of what stands alone (CVE-2026-33343 class)", () => {
  test("a node's transaction over its own and over others' objects is refused as a whole", async () => {
    const own = merges("/pods/status", "pod-of-n1", status("mine"));
    const foreign = merges("/pods/status", "pod-of-n2", status("not mine"));
    for (const operations of [
      [own, foreign],
      [foreign, own],
      [own, deletes("/pods", "pod-of-n2")],
      [
        own,
        merges("/nodes", "n1", { spec: { taints: [] } }),
        merges("/nodes", "n2", { metadata: { labels: { a: "b" } } }),
      ],
      [own, creates("/secrets", { metadata: { name: "planted" } })],
      [
        own,
        creates("/pods", {
          metadata: { name: "x" },
          spec: { nodeName: "n2", containers: [{ name: "c", image: "i" }] },
        }),
      ],
    ]) {
      expect(await transact("n1", operations)).toMatch(/^(PERMISSION_DENIED|NOT_FOUND)/);
    }
    expect(await messageOf("pod-of-n1")).toBe("");
    expect(await messageOf("pod-of-n2")).toBe("");
    expect(await transact("n1", [own])).toBe("OK");
    expect(await messageOf("pod-of-n1")).toBe("mine");
  });

  test("a role's too, and who has no rights gets no further by any operation", async () => {
    const event = creates("/events", { metadata: { name: "e" }, involvedObject: { namespace: "default" } });
    expect(await transact("scheduler", [event, creates("/configmaps", { metadata: { name: "x" } })])).toContain(
      'PERMISSION_DENIED configmaps is forbidden: User "system:kube-scheduler" cannot create resource "configmaps"',
    );
    expect(await outcome(api.client.get(configMaps, { namespace: "default", name: "x" }))).toContain("404");
    for (const operation of [event, merges("/pods", "pod-of-n1", {}), deletes("/pods", "pod-of-n1")]) {
      expect(await transact("nobody", [operation])).toMatch(/^PERMISSION_DENIED/);
    }
  });

  test("what is asked and never stored has no place in a transaction", async () => {
    const review = { metadata: { name: "r" }, spec: { token: "x" } };
    for (const operation of [
      creates("authentication.k8s.io/tokenreviews", review, ""),
      creates("/serviceaccounts/token", { spec: {} }, "default", "default"),
      creates("/pods/binding", { metadata: { name: "b" }, target: { name: "n1" } }, "default", "pod-of-n1"),
      creates("/pods/status", { metadata: { name: "s" } }),
    ]) {
      expect(await transact("admin", [operation])).toMatch(/^UNIMPLEMENTED/);
    }
  });

  test("an empty transaction, an empty operation, one object twice, more operations than a store takes", async () => {
    const map = (name: string) => creates("/configmaps", { metadata: { name } });
    expect(await transact("admin", [])).toMatch(/^INVALID_ARGUMENT/);
    expect(await transact("admin", [map("a"), Operation.fromPartial({})])).toMatch(/^INVALID_ARGUMENT/);
    expect(await transact("admin", [map("a"), map("a")])).toMatch(/^INVALID_ARGUMENT/);
    const many = Array.from({ length: 129 }, (_, index) => map(`m${index}`));
    expect(await transact("admin", many)).toBe("RESOURCE_EXHAUSTED a transaction has 128 operations at most");
    expect((await api.client.list(configMaps, { namespace: "default" })).items).toEqual([]);
  });

  test("a fence says who holds a Lease, so that it needs the right to read it", async () => {
    const fence = { namespace: "kube-system", name: "private", holder: "me", transitions: 1 };
    const own = { target: target("/pods/status", "pod-of-n1"), type: PatchType.PATCH_TYPE_MERGE };
    const patch = Buffer.from(JSON.stringify(status("mine")));
    const fenced = (holder: string) =>
      PatchRequest.fromPartial({ ...own, patch, options: { fence: { ...fence, holder }, dryRun: true } });
    const [right, wrong] = [await outcome(as("n1").patch(fenced("me"))), await outcome(as("n1").patch(fenced("you")))];
    expect(right).toMatch(/^PERMISSION_DENIED leases.coordination.k8s.io "private" is forbidden/);
    expect(wrong).toBe(right);
    expect(await transact("n1", [merges("/pods/status", "pod-of-n1", status("m"))], fence)).toBe(right);
    expect(await outcome(as("admin").patch(fenced("me")))).toBe("OK");
    expect(await outcome(as("admin").patch(fenced("you")))).toMatch(/^ABORTED/);
  });

  test("a collection is deleted by who may delete collections, and a name does not make it one object's", async () => {
    const collection = DeleteCollectionRequest.fromPartial({
      target: target("/pods"),
      selectors: { field: "spec.nodeName=n1" },
    });
    expect(await outcome(as("n1").deleteCollection(collection))).toMatch(/^PERMISSION_DENIED/);
    const named = DeleteCollectionRequest.fromPartial({ target: target("/pods", "pod-of-n1") });
    expect(await outcome(as("n1").deleteCollection(named))).toMatch(/^PERMISSION_DENIED/);
    expect(await outcome(as("admin").deleteCollection(named))).toBe("OK");
    const left = await api.client.list(pods, { namespace: "default" });
    expect(left.items.map((pod) => pod.metadata?.name)).toContain("pod-of-n2");
  });
});

describe("who asks is who they are", () => {
  test.each(["admin", "scheduler", "n1"])("%s does not impersonate by gRPC, and is told so", async (user) => {
    const read = GetRequest.fromPartial({ target: target("/nodes", "n1", "") });
    for (const header of ["impersonate-user", "impersonate-group", "impersonate-uid"]) {
      const options = { metadata: { [header]: "system:masters" } };
      expect(await outcome(as(user).get(read, options))).toBe(
        `INVALID_ARGUMENT ${header} is for REST: gRPC answers everybody as who they are`,
      );
    }
    const options = { metadata: { "impersonate-user": "admin" } };
    const update = UpdateRequest.fromPartial({ target: target("/nodes", "n1", ""), object: json({}) });
    expect(await outcome(as(user).update(update, options))).toMatch(/^INVALID_ARGUMENT/);
    const watching = (async () => {
      for await (const _ of as(user).watch(WatchRequest.fromPartial({ target: target("/nodes", "", "") }), options))
        break;
    })();
    expect(await outcome(watching)).toMatch(/^INVALID_ARGUMENT/);
  });

  test.each(["scheduler", "n1"])("%s does not impersonate by REST either", async (user) => {
    for (const name of [
      "admin",
      "system:kube-controller-manager",
      "system:node:n2",
      "system:serviceaccount:default:d",
    ]) {
      const headers = { "impersonate-user": name, "impersonate-group": "system:masters" };
      const answer = await api.send("GET", "/api/v1/nodes/n1", { as: users[user]!, headers });
      expect([name, answer.status]).toEqual([name, 403]);
      expect(answer.json()["message"]).toContain("cannot impersonate resource");
    }
  });

  test("headers of a front proxy mean nothing without its certificate", async () => {
    const headers = {
      "x-remote-user": "admin",
      "x-remote-group": "system:masters",
      "x-remote-extra-scopes": "all",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-client-cert": 'Subject="O=system:masters,CN=admin"',
      "x-client-cert": "admin",
    };
    expect((await api.send("GET", "/api/v1/nodes", { as: "none", headers })).status).toBe(401);
    const denied = await api.send("GET", "/api/v1/nodes", { as: users["nobody"]!, headers });
    expect([denied.status, denied.json()["message"]]).toEqual([403, expect.stringContaining('User "nobody"')]);
    const who = await api.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      ...{ as: users["nobody"]!, headers, body: "{}" },
    });
    expect(who.json()).toMatchObject({ status: { userInfo: { username: "nobody" } } });
    const metadata = { "x-remote-user": "admin", "x-remote-group": "system:masters" };
    const read = GetRequest.fromPartial({ target: target("/nodes", "n1", "") });
    expect(await outcome(as("nobody").get(read, { metadata }))).toMatch(/^PERMISSION_DENIED/);
  });
});
