import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { namespaces, pods, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { Encoding, PatchType, ResourcesDefinition, WatchEventType } from "../../lib/gen/keelson/api/v1/resources.ts";
import { KindServiceDefinition } from "../../lib/gen/keelson/kind/v1/kind_service.ts";
import { Codec } from "../../lib/resource/codec/codec.ts";
import { unwrapMessage } from "../../lib/resource/codec/enveloped-message.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { type TypedMethod, typedServiceOf } from "../../lib/resource/typed-service.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import type { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";

const registry = loadRegistry(kindDescriptors);
const services = registry.resources().map((definition) => typedServiceOf(definition, registry));
const codec = new Codec();
const namespace = "typed";

let api: ApiFixture;
let channel: GrpcChannel;

beforeAll(async () => {
  api = await startApi();
  const tls = { caPem: api.serverCaPem, certPem: api.admin.certPem, keyPem: api.admin.keyPem };
  channel = new GrpcChannel({ target: `127.0.0.1:${api.api.grpcPort}`, tls });
  await api.client.create(namespaces, { metadata: { name: namespace } });
  await api.client.create(serviceAccounts, { metadata: { name: "default", namespace } });
});

afterAll(async () => {
  channel.close();
  await api.stop();
});

interface Answer {
  readonly object?: Record<string, Record<string, unknown>>;
  readonly status?: Record<string, unknown>;
  readonly items: readonly Record<string, unknown>[];
  readonly events: readonly { readonly type: WatchEventType; readonly object?: Buffer }[];
  readonly created: boolean;
}

/** Calls `PodService/CreateBinding`, with the object given as the plain one that the codec takes; answers come back so. */
async function call(path: string, request: object): Promise<Answer> {
  const [name = "", methodName = ""] = path.split("/");
  const service = services.find((one) => one.name === name && one.packageName !== "keelson.api.events.v1")!;
  const method = service.methods.find((one) => one.name === methodName)!;
  const definition = KindServiceDefinition.methods[method.pattern];
  const schema = registry.message(method.message)!;
  const { object, ...rest } = request as { object?: object };
  const sent = object === undefined ? rest : { ...rest, object: codec.encodeProtobuf(schema, object) };
  const message = (definition.requestType.fromPartial as (partial: object) => unknown)(sent);
  const fullName = `${service.packageName}.${name}`;
  const methods = { call: { ...definition, name: method.name } };
  const client = channel.client({ name, fullName, methods }) as unknown as Record<
    "call",
    (request: unknown) => Promise<Record<string, unknown>> & AsyncIterable<Record<string, unknown>>
  >;
  const calling = client.call(message);
  if (!definition.responseStream) return readable(await calling, method);
  for await (const answer of calling) return answer as unknown as Answer;
  return expect.unreachable("the stream has no answer");
}

function readable(answer: Record<string, unknown>, method: TypedMethod): Answer {
  const read = (message: string, bytes: unknown) =>
    bytes === undefined ? undefined : codec.decodeProtobuf(registry.message(message)!, bytes as Buffer).object;
  const items = (answer["items"] as Buffer[] | undefined)?.map((item) => read(method.message, item));
  const status = read("k8s.io.apimachinery.pkg.apis.meta.v1.Status", answer["status"]);
  return { ...answer, object: read(method.message, answer["object"]), status, items } as unknown as Answer;
}

const pod = (name: string) => ({ metadata: { name }, spec: { containers: [{ name: "c", image: "i" }] } });

describe("typed services", () => {
  test("give the bytes that Resources gives, without the envelope", async () => {
    await call("PodService/Create", { namespace, object: pod("same") });
    const { items } = await call("PodService/List", { namespace });
    const resources = channel.client(ResourcesDefinition);
    const target = { group: "", version: "v1", resource: "pods", namespace, name: "same", subresource: "" };
    const encoding = Encoding.ENCODING_PROTOBUF;
    const { object } = await resources.get({ target, encoding, resourceVersion: "" });
    const { kind, raw } = unwrapMessage(object!.data);
    expect(kind).toBe("Pod");
    expect(items).toEqual([codec.decodeProtobuf(registry.message("k8s.io.api.core.v1.Pod")!, raw).object]);
    expect((await call("PodService/Get", { namespace, name: "same" })).object).toEqual(items[0]);
  });

  test("bind a pod, and answer with a Status where REST does", async () => {
    await call("PodService/Create", { namespace, object: pod("bound") });
    const binding = { metadata: { name: "bound" }, target: { kind: "Node", name: "n1" } };
    const bound = await call("PodService/CreateBinding", { namespace, name: "bound", object: binding });
    expect([bound.status?.["status"], bound.object]).toEqual(["Success", undefined]);
    expect((await call("PodService/Get", { namespace, name: "bound" })).object?.["spec"]).toMatchObject({
      nodeName: "n1",
    });
    const options = { gracePeriodSeconds: 30n };
    const waits = await call("PodService/Delete", { namespace, name: "bound", options });
    expect([waits.object?.["metadata"]?.["deletionGracePeriodSeconds"], waits.status]).toEqual([30, undefined]);
    await call("ConfigMapService/Create", { namespace, object: { metadata: { name: "gone" } } });
    const gone = await call("ConfigMapService/Delete", { namespace, name: "gone" });
    expect([gone.status?.["status"], gone.object]).toEqual(["Success", undefined]);
  });

  test("write a status, and read and write a scale, each as its own kind", async () => {
    const labels = { app: "web" };
    const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } };
    const spec = { replicas: 1, selector: { matchLabels: labels }, template };
    const { object } = await call("ReplicaSetService/Create", {
      namespace,
      object: { metadata: { name: "web" }, spec },
    });
    const status = { replicas: 1 };
    const updated = await call("ReplicaSetService/UpdateStatus", {
      namespace,
      name: "web",
      object: { ...object, status },
    });
    expect(updated.object?.["status"]).toMatchObject(status);
    const scale = await call("ReplicaSetService/GetScale", { namespace, name: "web" });
    expect(scale.object).toMatchObject({ spec: { replicas: 1 }, status: { selector: "app=web" } });
    const wanted = { ...scale.object, spec: { replicas: 3 } };
    await call("ReplicaSetService/UpdateScale", { namespace, name: "web", object: wanted });
    const answer = await call("ReplicaSetService/Get", { namespace, name: "web" });
    expect(answer.object?.["spec"]?.["replicas"]).toBe(3);
  });

  test("make tokens, and tell who somebody is", async () => {
    const object = { spec: { audiences: [] } };
    const made = await call("ServiceAccountService/CreateToken", { namespace, name: "default", object });
    expect(made.object?.["status"]?.["token"]).toMatch(/^ey/);
    const review = await call("SelfSubjectReviewService/Create", { object: {} });
    expect(review.object?.["status"]).toMatchObject({ userInfo: { username: "admin" } });
  });

  test("patch and apply, and delete what is selected", async () => {
    const data = Buffer.from(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", data: { a: "1" } }));
    const configuration = { encoding: Encoding.ENCODING_JSON, data };
    const applied = { namespace, name: "applied", configuration, options: { fieldManager: "me" } };
    const first = await call("ConfigMapService/Apply", applied);
    expect([first.created, first.object?.["data"]]).toEqual([true, { a: "1" }]);
    expect((await call("ConfigMapService/Apply", applied)).created).toBe(false);
    const patch = Buffer.from('{"metadata":{"labels":{"x":"y"}}}');
    const change = { namespace, name: "applied", type: PatchType.PATCH_TYPE_MERGE, patch };
    expect((await call("ConfigMapService/Patch", change)).object?.["metadata"]?.["labels"]).toEqual({ x: "y" });
    const deleted = await call("ConfigMapService/DeleteCollection", { namespace, selectors: { label: "x=y" } });
    expect(deleted.items).toHaveLength(1);
    const again = call("ConfigMapService/Get", { namespace, name: "applied" });
    await expect(again).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("page by a token, and begin a watch with what is there", async () => {
    for (const name of ["one", "three", "two"]) await api.client.create(pods, pagedPod(name));
    const selectors = { label: "paged=yes" };
    const first = await call("PodService/List", { namespace, selectors, limit: 2n });
    const { continueToken } = first as unknown as { continueToken: string };
    const rest = await call("PodService/List", { namespace, selectors, limit: 2n, continueToken });
    expect([first.items.length, rest.items.length]).toEqual([2, 1]);
    const watched = await call("PodService/Watch", {
      namespace,
      selectors,
      sendInitialEvents: true,
      allowBookmarks: true,
    });
    const types = new Set(watched.events.map((event) => event.type));
    expect(types).toContain(WatchEventType.WATCH_EVENT_TYPE_ADDED);
  });
});

function pagedPod(name: string) {
  return { metadata: { name, namespace, labels: { paged: "yes" } }, spec: { containers: [{ name: "c", image: "i" }] } };
}

test("every method that proto/ describes is served", async () => {
  const bytes = readFileSync(new URL("../../lib/gen/descriptors.binpb", import.meta.url));
  const described = [...createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes))]
    .filter((one) => one.kind === "service")
    .filter(({ typeName }) => /^keelson\.api\.(?!v1\.)/.test(typeName));
  expect(described.length).toBe(services.length);
  const failed: string[] = [];
  for (const { typeName, methods } of described) {
    for (const { name, methodKind } of methods) {
      if (name === "DeleteCollection" || methodKind !== "unary") continue;
      const definition = { ...KindServiceDefinition.methods.get, name };
      const client = channel.client({ name: typeName, fullName: typeName, methods: { call: definition } });
      const error = await client.call({ namespace: "", name: "", resourceVersion: "" }).then(
        () => undefined,
        (thrown: unknown) => thrown as RpcError,
      );
      if (error?.message.includes("does not implement the method")) failed.push(`${typeName}/${name}`);
    }
  }
  expect(failed).toEqual([]);
});
