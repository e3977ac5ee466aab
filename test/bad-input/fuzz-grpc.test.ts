import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import {
  Compare_CompareTarget,
  LeaseGrantRequest,
  RangeRequest,
  TxnRequest,
} from "../../lib/gen/etcd/etcdserverpb/rpc.ts";
import {
  CreateRequest,
  DeleteRequest,
  Encoding,
  ListRequest,
  PatchRequest,
  PatchType,
  TransactRequest,
} from "../../lib/gen/keelson/api/v1/resources.ts";
import {
  KindServiceCreateRequest,
  KindServiceDeleteRequest,
  KindServiceListRequest,
  KindServicePatchRequest,
} from "../../lib/gen/keelson/kind/v1/kind_service.ts";
import { StoreServer } from "../../services/store/grpc/store-server.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";
import { openTestStore } from "../../services/store/testkit/test-store.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { checkReady, FUZZ_SEED } from "./fuzz-checks.ts";
import { field } from "./raw-grpc.ts";
import { tlsOptions } from "./send-other-ways.ts";

let api: ApiFixture;
let store: SqliteStore;
let storeServer: StoreServer;
let toApi: ClientHttp2Session;
let toStore: ClientHttp2Session;

beforeAll(async () => {
  api = await startApi();
  toApi = connectHttp2(`https://127.0.0.1:${api.api.grpcPort}`, { ...tlsOptions(api), port: api.api.grpcPort });
  store = await openTestStore();
  storeServer = new StoreServer({ store, log: silentLog }, { listen: "127.0.0.1:0" });
  await storeServer.start();
  toStore = connectHttp2(`http://${storeServer.address}`);
});

afterAll(async () => {
  toApi.destroy();
  toStore.destroy();
  await storeServer.stop();
  await store.close();
  await api.stop();
});

/** Sends these bytes as the one message of a call; gives the number of its status. */
async function statusOf(session: ClientHttp2Session, method: string, message: Uint8Array): Promise<number> {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const headers = { ":method": "POST", ":path": method, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...headers, "grpc-timeout": "5S" });
  const status = new Promise<number>((resolve, reject) => {
    const read = (got: Record<string, unknown>): void => {
      if (got["grpc-status"] !== undefined) resolve(Number(got["grpc-status"]));
    };
    stream.on("response", read).on("trailers", read).on("error", reject);
    stream.on("close", () => reject(new Error("the call ended without a status")));
  });
  stream.end(Buffer.concat([head, message]));
  stream.resume();
  return await status;
}

const change = fc.oneof(
  fc.record({ at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 3 }), cut: fc.nat({ max: 3 }) }),
  fc.record({ at: fc.nat(), bytes: fc.constant(new Uint8Array()), cut: fc.nat({ max: 40 }) }),
);

/** The message with some bytes in it replaced, put in or taken out. */
function changed(message: Uint8Array, changes: readonly { at: number; bytes: Uint8Array; cut: number }[]): Uint8Array {
  let result = Buffer.from(message);
  for (const { at, bytes, cut } of changes) {
    const place = at % (result.length + 1);
    result = Buffer.concat([result.subarray(0, place), bytes, result.subarray(place + cut)]);
  }
  return result;
}

/** gRPC's codes for what the server itself did wrong. */
const OUR_FAULT = [2, 13, 15];

async function checkMessages(
  session: ClientHttp2Session,
  service: string,
  messages: Readonly<Record<string, Uint8Array>>,
  revision: () => Promise<number>,
  numRuns: number,
): Promise<void> {
  for (const [method, message] of Object.entries(messages)) {
    expect(await statusOf(session, `/${service}/${method}`, message), `${method} as it stands`).toBe(0);
  }
  const changes = fc.array(change, { minLength: 1, maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(messages)), changes, async (method, list) => {
      const bytes = changed(messages[method]!, list);
      const before = await revision();
      const status = await statusOf(session, `/${service}/${method}`, bytes);
      const what = `${method} ${Buffer.from(bytes).toString("hex")}`;
      expect(OUR_FAULT, what).not.toContain(status);
      if (status !== 0) expect(await revision(), `${what}: refused, and yet written`).toBe(before);
    }),
    { seed: FUZZ_SEED, numRuns },
  );
}

test("messages to the API with something wrong in them are refused, or do what they say", async () => {
  const target = { group: "", version: "v1", resource: "configmaps", namespace: "default", name: "", subresource: "" };
  const named = { ...target, name: "fuzz" };
  const object = {
    encoding: Encoding.ENCODING_JSON,
    data: Buffer.from('{"metadata":{"generateName":"fuzz-"},"data":{"a":"b"}}'),
  };
  const data = Buffer.from('{"metadata":{"name":"fuzz"}}');
  await api.send("POST", "/api/v1/namespaces/default/configmaps", { body: data });
  const patch = { target: named, type: PatchType.PATCH_TYPE_MERGE, patch: Buffer.from('{"data":{"c":"d"}}') };
  const operations = [{ operation: { $case: "patch" as const, value: PatchRequest.fromPartial(patch) } }];
  const messages = {
    Create: CreateRequest.encode(CreateRequest.fromPartial({ target, object })).finish(),
    List: ListRequest.encode(ListRequest.fromPartial({ target, limit: 2n, selectors: { label: "a!=b" } })).finish(),
    Patch: PatchRequest.encode(PatchRequest.fromPartial(patch)).finish(),
    Transact: TransactRequest.encode(TransactRequest.fromPartial({ operations })).finish(),
    Delete: DeleteRequest.encode(DeleteRequest.fromPartial({ target: named, options: { dryRun: true } })).finish(),
  };
  const revision = async () => (await api.store.status()).revision;
  await checkMessages(toApi, "keelson.api.v1.Resources", messages, revision, 300);
  await checkReady(api);
});

test("messages to a typed service with something wrong in them are refused, or do what they say", async () => {
  const namespace = "default";
  const options = { dryRun: true };
  // generateName and data of a ConfigMap.
  const metadata = field(1, field(2, Buffer.from("typed-")));
  const data = field(2, Buffer.concat([field(1, Buffer.from("a")), field(2, Buffer.from("b"))]));
  const object = Buffer.concat([metadata, data]);
  await api.send("POST", "/api/v1/namespaces/default/configmaps", { body: '{"metadata":{"name":"typed"}}' });
  const named = { namespace, name: "typed" };
  const patch = { ...named, type: PatchType.PATCH_TYPE_MERGE, patch: Buffer.from('{"data":{"c":"d"}}') };
  const list = { namespace, limit: 2n, selectors: { label: "a!=b" } };
  const messages = {
    Create: KindServiceCreateRequest.encode(KindServiceCreateRequest.fromPartial({ namespace, object })).finish(),
    List: KindServiceListRequest.encode(KindServiceListRequest.fromPartial(list)).finish(),
    Patch: KindServicePatchRequest.encode(KindServicePatchRequest.fromPartial(patch)).finish(),
    Delete: KindServiceDeleteRequest.encode(KindServiceDeleteRequest.fromPartial({ ...named, options })).finish(),
  };
  const revision = async () => (await api.store.status()).revision;
  await checkMessages(toApi, "keelson.api.core.v1.ConfigMapService", messages, revision, 300);
  await checkReady(api);
});

test("messages to the store with something wrong in them are refused, or do what they say", async () => {
  const key = Buffer.from("k");
  const put = { request: { $case: "requestPut" as const, value: { key, value: Buffer.from("v") } } };
  const range = { request: { $case: "requestRange" as const, value: { key, rangeEnd: Buffer.from("z") } } };
  const compare = [
    { key, target: Compare_CompareTarget.VERSION, targetUnion: { $case: "version" as const, value: 0n } },
  ];
  const txn = { compare, success: [put, range], failure: [range] };
  const messages = {
    Range: RangeRequest.encode(RangeRequest.fromPartial({ key, rangeEnd: Buffer.from("z"), limit: 5n })).finish(),
    Txn: TxnRequest.encode(TxnRequest.fromPartial(txn)).finish(),
  };
  const revision = async () => (await store.status()).revision;
  await checkMessages(toStore, "etcdserverpb.KV", messages, revision, 300);
  const lease = { LeaseGrant: LeaseGrantRequest.encode(LeaseGrantRequest.fromPartial({ TTL: 60n })).finish() };
  await checkMessages(toStore, "etcdserverpb.Lease", lease, revision, 50);
  expect((await store.range({ key: Buffer.from("k") })).kvs.length).toBeLessThanOrEqual(1);
});
