import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import {
  Compare_CompareTarget,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
  WatchCreateRequest,
  WatchDefinition,
  type WatchRequest,
  type WatchResponse,
} from "../../lib/gen/etcd/etcdserverpb/rpc.ts";
import { HealthCheckResponse_ServingStatus, HealthDefinition } from "../../lib/gen/grpc/health/v1/health.ts";
import { type DuplexCall, GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { StoreServer } from "../../services/store/grpc/store-server.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";
import { openTestStore, put } from "../../services/store/testkit/test-store.ts";

/** The row "etcd API" of RELIABILITY §4, on the wire. */
describe("bad input: etcd API", () => {
  let store: SqliteStore;
  let server: StoreServer;
  let channel: GrpcChannel;
  beforeAll(async () => {
    store = await openTestStore();
    server = new StoreServer({ store, log: silentLog }, { listen: "127.0.0.1:0" });
    await server.start();
    channel = new GrpcChannel({ target: server.address });
  });
  afterAll(async () => {
    channel.close();
    await server.stop();
    await store.close();
  });

  const kv = () => channel.client(KVDefinition);
  const lease = () => channel.client(LeaseDefinition);
  const key = (text: string) => Buffer.from(text);
  const putOp = (text: string): RequestOp => ({
    request: { $case: "requestPut", value: PutRequest.fromPartial({ key: key(text) }) },
  });
  const nest = (success: RequestOp[]): RequestOp => ({
    request: { $case: "requestTxn", value: TxnRequest.fromPartial({ success }) },
  });
  const many = (count: number) => Array.from({ length: count }, (_, i) => putOp(`k${i}`));

  const rows: [string, () => Promise<unknown>, { code: string; message: string }][] = [
    [
      "empty key in put",
      () => kv().put(PutRequest.fromPartial({})),
      { code: "INVALID_ARGUMENT", message: "etcdserver: key is not provided" },
    ],
    [
      "empty key in range",
      () => kv().range(RangeRequest.fromPartial({})),
      { code: "INVALID_ARGUMENT", message: "etcdserver: key is not provided" },
    ],
    [
      "empty key in delete",
      () => kv().deleteRange({ key: key(""), rangeEnd: key(""), prevKv: false }),
      { code: "INVALID_ARGUMENT", message: "etcdserver: key is not provided" },
    ],
    [
      "empty key in a compare",
      () => kv().txn(TxnRequest.fromPartial({ compare: [{ target: Compare_CompareTarget.MOD }] })),
      { code: "INVALID_ARGUMENT", message: "etcdserver: key is not provided" },
    ],
    [
      "> 128 ops",
      () => kv().txn(TxnRequest.fromPartial({ success: many(129) })),
      { code: "INVALID_ARGUMENT", message: "etcdserver: too many operations in txn request" },
    ],
    [
      "> 128 ops, nested",
      () => kv().txn(TxnRequest.fromPartial({ failure: [...many(64), nest([...many(65)])] })),
      { code: "INVALID_ARGUMENT", message: "etcdserver: too many operations in txn request" },
    ],
    [
      "duplicate key in txn",
      () => kv().txn(TxnRequest.fromPartial({ success: [putOp("a"), nest([putOp("a")])] })),
      { code: "INVALID_ARGUMENT", message: "etcdserver: duplicate key given in txn request" },
    ],
    [
      "> 1.5 MiB",
      () => kv().put(PutRequest.fromPartial({ key: key("a"), value: Buffer.alloc(1.5 * 1024 * 1024) })),
      { code: "INVALID_ARGUMENT", message: "etcdserver: request is too large" },
    ],
    [
      "bad sort target",
      () => kv().range(RangeRequest.fromPartial({ key: key("a"), sortTarget: 9 as never })),
      { code: "INVALID_ARGUMENT", message: "etcdserver: invalid sort option" },
    ],
    [
      "bad sort order",
      () => kv().range(RangeRequest.fromPartial({ key: key("a"), sortOrder: 7 as never })),
      { code: "INVALID_ARGUMENT", message: "etcdserver: invalid sort option" },
    ],
    [
      "an operation without content",
      () => kv().txn(TxnRequest.fromPartial({ success: [{}] })),
      { code: "INVALID_ARGUMENT", message: "etcdserver: key not found" },
    ],
    [
      "future revision",
      () => kv().range(RangeRequest.fromPartial({ key: key("a"), revision: 1_000_000n })),
      { code: "OUT_OF_RANGE", message: "etcdserver: mvcc: required revision is a future revision" },
    ],
    [
      "TTL > 9e9",
      () => lease().leaseGrant({ TTL: 9_000_000_001n, ID: 0n }),
      { code: "OUT_OF_RANGE", message: "etcdserver: too large lease TTL" },
    ],
    [
      "unknown lease",
      () => kv().put(PutRequest.fromPartial({ key: key("a"), lease: 77n })),
      { code: "NOT_FOUND", message: "etcdserver: requested lease not found" },
    ],
    [
      "unknown lease revoked",
      () => lease().leaseRevoke({ ID: 77n }),
      { code: "NOT_FOUND", message: "etcdserver: requested lease not found" },
    ],
    [
      "unknown method",
      async () => {
        for await (const answer of kv().rangeStream(RangeRequest.fromPartial({ key: key("a") }))) return answer;
        return undefined;
      },
      { code: "UNIMPLEMENTED", message: expect.stringContaining("does not implement") },
    ],
  ];
  for (const [what, request, error] of rows) {
    test(what, async () => {
      await expect(request()).rejects.toMatchObject(error);
    });
  }

  test("a message above the limit is refused before it is decoded", async () => {
    const huge = PutRequest.fromPartial({ key: key("a"), value: Buffer.alloc(3 * 1024 * 1024) });
    await expect(kv().put(huge)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  test("bytes that are no message: INVALID_ARGUMENT", async () => {
    const truncated = { encode: () => ({ finish: () => Uint8Array.of(0x0a, 0x10, 0x61) }), decode: () => ({}) };
    const broken = channel.client({
      ...KVDefinition,
      methods: { put: { ...KVDefinition.methods.put, requestType: truncated } },
    });
    await expect(broken.put({})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const stream = channel
      .client({ ...WatchDefinition, methods: { watch: { ...WatchDefinition.methods.watch, requestType: truncated } } })
      .watch();
    void stream.write({});
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("compacted revision", async () => {
    await put(store, "c", "1");
    const { revision } = await put(store, "c", "2");
    await store.compact(revision);
    const read = kv().range(RangeRequest.fromPartial({ key: key("c"), revision: BigInt(revision - 1) }));
    await expect(read).rejects.toMatchObject({
      code: "OUT_OF_RANGE",
      message: "etcdserver: mvcc: required revision has been compacted",
    });
  });

  test("same lease id", async () => {
    await lease().leaseGrant({ TTL: 100n, ID: 5n });
    await expect(lease().leaseGrant({ TTL: 100n, ID: 5n })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      message: "etcdserver: lease already exists",
    });
  });

  test("no space", async () => {
    const maintenance = channel.client(MaintenanceDefinition);
    await maintenance.alarm({ action: 1, memberID: 0n, alarm: 1 });
    await expect(kv().put(PutRequest.fromPartial({ key: key("a") }))).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      message: "etcdserver: mvcc: database space exceeded",
    });
    expect((await maintenance.alarm({ action: 0, memberID: 0n, alarm: 0 })).alarms).toMatchObject([{ alarm: 1 }]);
    expect((await maintenance.status({})).errors.length).toBe(1);
    await maintenance.alarm({ action: 2, memberID: 0n, alarm: 1 });
    await kv().put(PutRequest.fromPartial({ key: key("a") }));
  });

  test("range_end < key: an empty result", async () => {
    const answer = await kv().range(RangeRequest.fromPartial({ key: key("b"), rangeEnd: key("a") }));
    expect(answer).toMatchObject({ kvs: [], count: 0n });
  });

  test("stopped: UNAVAILABLE", async () => {
    const other = await openTestStore();
    const otherServer = new StoreServer({ store: other, log: silentLog }, { listen: "127.0.0.1:0" });
    await otherServer.start();
    const otherChannel = new GrpcChannel({ target: otherServer.address });
    const health = () => otherChannel.client(HealthDefinition).check({ service: "" });
    expect(await health()).toEqual({ status: HealthCheckResponse_ServingStatus.SERVING });
    await other.close();
    expect(await health()).toEqual({ status: HealthCheckResponse_ServingStatus.NOT_SERVING });
    const read = otherChannel.client(KVDefinition).range(RangeRequest.fromPartial({ key: key("a") }));
    await expect(read).rejects.toMatchObject({ code: "UNAVAILABLE", message: "etcdserver: server stopped" });
    otherChannel.close();
    await otherServer.stop();
  });

  describe("watch streams", () => {
    const open = () => {
      const call: DuplexCall<WatchRequest, WatchResponse> = channel.client(WatchDefinition).watch();
      const answers = call[Symbol.asyncIterator]();
      return {
        send: (requestUnion: WatchRequest["requestUnion"]) => call.write({ requestUnion }),
        next: async () => (await answers.next()).value as WatchResponse,
        close: () => call.cancel(),
      };
    };
    const create = (watchId: bigint, more: Partial<WatchCreateRequest> = {}): WatchRequest["requestUnion"] => ({
      $case: "createRequest",
      value: { ...WatchCreateRequest.fromPartial({ key: key("w"), watchId }), ...more },
    });
    const PROGRESS: WatchRequest["requestUnion"] = { $case: "progressRequest", value: {} };
    const cancel = (watchId: bigint): WatchRequest["requestUnion"] => ({ $case: "cancelRequest", value: { watchId } });

    test("watch id reuse: an answer in the stream, and the first watch goes on", async () => {
      const stream = open();
      await stream.send(create(7n));
      expect(await stream.next()).toMatchObject({ watchId: 7n, created: true, canceled: false });
      await stream.send(create(7n));
      expect(await stream.next()).toMatchObject({
        watchId: -1n,
        created: true,
        canceled: true,
        cancelReason: "mvcc: duplicate watch ID provided on the WatchStream",
      });
      await put(store, "w", "1");
      expect(await stream.next()).toMatchObject({ watchId: 7n, events: [{ kv: { value: Buffer.from("1") } }] });
      stream.close();
    });

    test("cancel of an unknown id: an answer in the stream", async () => {
      const stream = open();
      await stream.send(cancel(9n));
      expect(await stream.next()).toMatchObject({
        watchId: 9n,
        canceled: true,
        cancelReason: "mvcc: watcher not found",
      });
      stream.close();
    });

    test("an empty range: refused in the stream", async () => {
      const stream = open();
      await stream.send(create(0n, { rangeEnd: key("a") }));
      expect(await stream.next()).toMatchObject({ created: true });
      expect(await stream.next()).toMatchObject({ canceled: true, cancelReason: "mvcc: watcher range is empty" });
      stream.close();
    });

    test("a watch that is cancelled sends nothing more; its id can be used again", async () => {
      const stream = open();
      await stream.send(create(3n));
      await stream.next();
      await stream.send(cancel(3n));
      expect(await stream.next()).toMatchObject({ watchId: 3n, canceled: true });
      await put(store, "w", "unseen");
      await stream.send(create(3n));
      expect(await stream.next()).toMatchObject({ watchId: 3n, created: true });
      await put(store, "w", "seen");
      expect(await stream.next()).toMatchObject({ events: [{ kv: { value: Buffer.from("seen") } }] });
      stream.close();
    });

    test("invariant 12: progress of a stream with two watches, and of one with none", async () => {
      const stream = open();
      await stream.send(PROGRESS);
      expect(await stream.next()).toMatchObject({ watchId: -1n, header: { revision: BigInt(store.revision) } });
      await stream.send(create(1n));
      await stream.send(create(2n));
      await stream.next();
      await stream.next();
      const { revision } = await put(store, "w", "1");
      await stream.send(PROGRESS);
      const seen = [await stream.next(), await stream.next(), await stream.next()];
      expect(seen.slice(0, 2).map((answer) => answer.events.length)).toEqual([1, 1]);
      expect(seen[2]).toMatchObject({ watchId: -1n, events: [], header: { revision: BigInt(revision) } });
      stream.close();
    });

    test("invariant 11: large transactions come in flagged fragments to those who take them, else whole", async () => {
      const value = "x".repeat(500_000);
      const both = (text: string) =>
        store.txn({
          compare: [],
          success: ["w1", "w2"].map((name) => ({ type: "put" as const, key: key(name), value: key(text) })),
        });
      const { revision } = await both(value);
      await both(`${value}2`);
      const more = { rangeEnd: key("x"), startRevision: BigInt(revision + 1), prevKv: true };
      const stream = open();
      await stream.send(create(1n, { ...more, fragment: true }));
      await stream.next();
      expect(await stream.next()).toMatchObject({ fragment: true, events: [{ kv: { key: key("w1") } }] });
      expect(await stream.next()).toMatchObject({ fragment: false, events: [{ kv: { key: key("w2") } }] });
      stream.close();
      const whole = open();
      await whole.send(create(1n, more));
      await whole.next();
      const answer = await whole.next();
      expect(answer.fragment).toBe(false);
      expect(answer.events.length).toBe(2);
      whole.close();
    });

    test("invariant 15: a stream that goes away takes its watches with it", async () => {
      await expect.poll(() => store.watcherCount, { timeout: 1_000 }).toBe(0);
      const stream = open();
      for (const id of [1n, 2n, 3n]) await stream.send(create(id));
      for (let i = 0; i < 3; i++) await stream.next();
      expect(store.watcherCount).toBe(3);
      stream.close();
      await expect.poll(() => store.watcherCount, { timeout: 1_000 }).toBe(0);
    });
  });
});
