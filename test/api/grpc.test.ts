import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Status as RpcStatus } from "../../lib/gen/google/rpc/status.ts";
import { HealthCheckResponse_ServingStatus, HealthDefinition } from "../../lib/gen/grpc/health/v1/health.ts";
import { configMaps, leases } from "../../lib/gen/k8s/resources.ts";
import {
  Encoding,
  ListRequest,
  PatchType,
  ResourcesDefinition,
  TransactRequest,
  WatchEventType,
  WatchRequest,
} from "../../lib/gen/keelson/api/v1/resources.ts";
import { GrpcChannel, type ServiceClient } from "../../lib/transport/grpc-client.ts";
import type { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ApiFixture, startApi } from "./api-fixture.ts";

let api: ApiFixture;
let channel: GrpcChannel;
let resources: ServiceClient<typeof ResourcesDefinition>;

beforeAll(async () => {
  api = await startApi();
  channel = new GrpcChannel({
    target: `127.0.0.1:${api.api.grpcPort}`,
    tls: { caPem: api.serverCaPem, certPem: api.admin.certPem, keyPem: api.admin.keyPem },
  });
  resources = channel.client(ResourcesDefinition);
});

afterAll(async () => {
  channel.close();
  await api.stop();
});

function target(name: string, subresource = "") {
  return { group: "", version: "v1", resource: "configmaps", namespace: "default", name, subresource };
}

function json(value: object) {
  return { encoding: Encoding.ENCODING_JSON, data: Buffer.from(JSON.stringify(value)) };
}

const inJson = {
  dryRun: false,
  fieldManager: "",
  fieldValidation: 0,
  fence: undefined,
  answerEncoding: Encoding.ENCODING_JSON,
} as const;

function read(object: { data: Buffer } | undefined): {
  metadata: Record<string, string>;
  data?: Record<string, string>;
} {
  return JSON.parse(object?.data.toString("utf8") ?? "null");
}

function map(name: string, data: Record<string, string> = {}): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data };
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown as RpcError,
  );
  if (error === undefined) throw new Error("the call did not fail");
  return error;
}

describe("keelson.api.v1.Resources", () => {
  test("create, get, update, patch, list and delete", async () => {
    const created = await resources.create({
      target: target(""),
      object: json(map("one", { a: "1" })),
      options: inJson,
    });
    expect(read(created.object).data).toEqual({ a: "1" });
    const got = await resources.get({ target: target("one"), encoding: Encoding.ENCODING_JSON, resourceVersion: "" });
    expect(got.object?.data).toEqual(created.object?.data);
    const updated = await resources.update({
      target: target("one"),
      object: json({ ...read(got.object), data: { a: "2" } }),
      options: inJson,
    });
    expect(updated.created).toBe(false);
    const patched = await resources.patch({
      target: target("one"),
      type: PatchType.PATCH_TYPE_MERGE,
      patch: Buffer.from('{"data":{"b":"3"}}'),
      options: inJson,
    });
    expect(read(patched.object).data).toEqual({ a: "2", b: "3" });
    const list = await resources.list(
      ListRequest.fromPartial({ target: target(""), encoding: Encoding.ENCODING_JSON }),
    );
    expect(list.items.map((item) => JSON.parse(item.toString("utf8")).metadata.name)).toEqual(["one"]);
    await resources.delete({ target: target("one"), options: undefined });
    const error = await failure(resources.get({ target: target("one"), encoding: 0, resourceVersion: "" }));
    expect(error.code).toBe("NOT_FOUND");
  });

  test("errors carry the Kubernetes Status", async () => {
    await api.client.create(configMaps, { metadata: { name: "taken", namespace: "default" } });
    const error = await failure(resources.create({ target: target(""), object: json(map("taken")), options: inJson }));
    expect(error.code).toBe("ALREADY_EXISTS");
    const status = RpcStatus.decode(error.details ?? new Uint8Array());
    expect(status.details[0]?.typeUrl).toBe("type.googleapis.com/k8s.io.apimachinery.pkg.apis.meta.v1.Status");
    expect(status.details[0]?.value.toString("latin1")).toContain('configmaps "taken" already exists');
    const stale = json({ ...map("taken"), metadata: { name: "taken", namespace: "default", resourceVersion: "1" } });
    expect((await failure(resources.update({ target: target("taken"), object: stale, options: inJson }))).code).toBe(
      "ABORTED",
    );
  });

  test("a watch sends what is there, a bookmark, and then changes in batches", async () => {
    const abort = new AbortController();
    const request = WatchRequest.fromPartial({
      target: target(""),
      encoding: Encoding.ENCODING_JSON,
      sendInitialEvents: true,
      allowBookmarks: true,
    });
    const types: WatchEventType[] = [];
    for await (const batch of resources.watch(request, { signal: abort.signal })) {
      types.push(...batch.events.map((event) => event.type));
      if (types.at(-1) === WatchEventType.WATCH_EVENT_TYPE_BOOKMARK) {
        await api.client.create(configMaps, { metadata: { name: "watched", namespace: "default" } });
      }
      if (types.length >= 3) break;
    }
    abort.abort();
    expect(types).toEqual([
      WatchEventType.WATCH_EVENT_TYPE_ADDED,
      WatchEventType.WATCH_EVENT_TYPE_BOOKMARK,
      WatchEventType.WATCH_EVENT_TYPE_ADDED,
    ]);
  });

  test("a transaction is all or nothing", async () => {
    const create = (name: string) => ({
      operation: { $case: "create" as const, value: { target: target(""), object: json(map(name)), options: inJson } },
    });
    const done = await resources.transact(TransactRequest.fromPartial({ operations: [create("t1"), create("t2")] }));
    const versions = done.objects.map((object) => read(object).metadata["resourceVersion"]);
    expect(new Set(versions).size).toBe(1);
    const failed = await failure(
      resources.transact(TransactRequest.fromPartial({ operations: [create("t3"), create("t1")] })),
    );
    expect(failed.code).toBe("ALREADY_EXISTS");
    expect((await failure(resources.get({ target: target("t3"), encoding: 0, resourceVersion: "" }))).code).toBe(
      "NOT_FOUND",
    );
  });

  test("invariant 33: a write is fenced by the lease of its writer", async () => {
    const spec = { holderIdentity: "me", leaseTransitions: 2 };
    const lease = await api.client.create(leases, { metadata: { name: "lead", namespace: "default" }, spec });
    const fence = { namespace: "default", name: "lead", holder: "me", transitions: 2 };
    const write = (name: string) =>
      resources.create({ target: target(""), object: json(map(name)), options: { ...inJson, fence } });
    await write("fenced-1");
    await api.client.update(leases, { ...lease, spec: { ...spec, holderIdentity: "other", leaseTransitions: 3 } });
    expect((await failure(write("fenced-2"))).code).toBe("ABORTED");
    expect((await failure(resources.get({ target: target("fenced-2"), encoding: 0, resourceVersion: "" }))).code).toBe(
      "NOT_FOUND",
    );
  });

  test("invariant 22: REST and gRPC, JSON and protobuf store the same bytes and refuse alike", async () => {
    const stored = async (name: string): Promise<string> => {
      const { kvs } = await api.store.range({ key: Buffer.from(`/registry/configmaps/default/${name}`) });
      // What differs by nature: name, uid and time.
      const { metadata } = await api.client.get(configMaps, { namespace: "default", name });
      return Buffer.from(kvs[0]?.value ?? [])
        .toString("latin1")
        .replaceAll(metadata?.uid ?? "", "UID")
        .replaceAll(name, "NAME");
    };
    const collection = "/api/v1/namespaces/default/configmaps";
    const data = { key: "välue", empty: "" };
    await api.send("POST", collection, { body: JSON.stringify(map("rest-json", data)) });
    await resources.create({ target: target(""), object: json(map("grpc-json", data)), options: inJson });
    const protobuf = await resources.get({
      target: target("rest-json"),
      encoding: Encoding.ENCODING_PROTOBUF,
      resourceVersion: "",
    });
    expect(protobuf.object?.data.subarray(0, 4).toString("latin1")).toBe("k8s\0");
    expect((await stored("rest-json")).length).toBe((await stored("grpc-json")).length);
    const viewer = await api.clientCertificate("viewer", ["people"]);
    const other = new GrpcChannel({
      target: `127.0.0.1:${api.api.grpcPort}`,
      tls: { caPem: api.serverCaPem, certPem: viewer.certPem, keyPem: viewer.keyPem },
    });
    const byGrpc = await failure(
      other.client(ResourcesDefinition).get({ target: target("rest-json"), encoding: 0, resourceVersion: "" }),
    );
    const byRest = await api.send("GET", `${collection}/rest-json`, { as: viewer });
    other.close();
    expect(byGrpc.code).toBe("PERMISSION_DENIED");
    expect(byRest.status).toBe(403);
    expect(byRest.json()["message"]).toBe(byGrpc.message);
  });

  test("apply creates, merges, and names who it conflicts with", async () => {
    const apply = (fieldManager: string, data: Record<string, string>, force = false) =>
      resources.apply({
        target: target("applied"),
        object: json(map("applied", data)),
        force,
        options: { ...inJson, fieldManager },
      });
    expect((await apply("me", { a: "1" })).created).toBe(true);
    const merged = await apply("you", { b: "2" });
    expect([merged.created, read(merged.object).data]).toEqual([false, { a: "1", b: "2" }]);
    const refused = await failure(apply("you", { a: "3" }));
    expect(refused.message).toContain('conflict with "me": .data.a');
    expect(read((await apply("you", { a: "3" }, true)).object).data).toEqual({ a: "3" });
    const binary = { encoding: Encoding.ENCODING_PROTOBUF, data: Buffer.alloc(0) };
    const unreadable = resources.apply({ target: target("x"), object: binary, force: false, options: inJson });
    expect((await failure(unreadable)).message).toContain("what is applied must be JSON or YAML");
  });

  test("health says that it serves", async () => {
    const health = channel.client(HealthDefinition);
    const answer = await health.check({ service: "keelson.api.v1.Resources" });
    expect(answer.status).toBe(HealthCheckResponse_ServingStatus.SERVING);
  });
});
