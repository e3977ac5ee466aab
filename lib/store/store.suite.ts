import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeyValue, Store, StoreEvent, StoreOp, StoreWatchBatch, WatchRequest } from "./store.ts";
import { prefixEnd } from "./store.ts";

/** A store to be tested, and what is particular about it. */
export interface StoreSuiteSubject {
  /** A new, empty store, or one shared with nobody. */
  open(): Promise<Store>;
  /** Lets time pass for leases. */
  advance(ms: number): Promise<void>;
  /** Shortest time to live that the store grants. */
  readonly minLeaseSeconds: number;
  /** Progress never overtakes events (etcd before 3.4.31 breaks this). */
  readonly progressTrusted: boolean;
  /** A deletion at the compact revision still reaches watchers that start there (etcd before 3.5.17 forgets it). */
  readonly keepsDeletionAtCompactRevision: boolean;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

/** In place of `test` where a known fault of the subject is outside our reach. */
function untested(_name: string, _body: () => Promise<void>): void {}

/** What every implementation of `Store` does. Invariants are those of RELIABILITY §2. */
export function storeSuite(name: string, subject: StoreSuiteSubject): void {
  describe(`store: ${name}`, () => {
    let store: Store;
    let testNumber = 0;
    let prefix = "";
    beforeAll(async () => {
      store = await subject.open();
    });
    afterAll(() => store.close());

    /** Keys of one test start with a prefix of their own. */
    function fresh(): void {
      prefix = `/suite/${String(testNumber++).padStart(3, "0")}/`;
    }
    const key = (suffix: string) => bytes(prefix + suffix);
    const all = () => ({ key: bytes(prefix), rangeEnd: prefixEnd(bytes(prefix)) });
    const put = (suffix: string, value: string, more: { lease?: bigint } = {}) =>
      store.txn({ compare: [], success: [{ type: "put", key: key(suffix), value: bytes(value), ...more }] });
    const del = (suffix: string) => store.txn({ compare: [], success: [{ type: "delete", key: key(suffix) }] });
    const get = async (suffix: string, revision = 0) => (await store.range({ key: key(suffix), revision })).kvs[0];
    const list = async (request: Partial<Parameters<Store["range"]>[0]> = {}) => store.range({ ...all(), ...request });
    const names = (kvs: readonly KeyValue[]) => kvs.map((kv) => text(kv.key).slice(prefix.length));
    const show = (event: StoreEvent) =>
      `${event.type} ${text(event.kv.key).slice(prefix.length)}=${text(event.kv.value)}@${event.kv.modRevision}`;

    class Reader {
      readonly #iterator: AsyncIterator<StoreWatchBatch>;
      readonly watch;
      constructor(request: Partial<WatchRequest> = {}) {
        this.watch = store.watch({ ...all(), ...request });
        this.#iterator = this.watch[Symbol.asyncIterator]();
      }
      async next(): Promise<StoreWatchBatch | undefined> {
        const { done, value } = await this.#iterator.next();
        return done ? undefined : value;
      }
      async batches(eventCount: number): Promise<Extract<StoreWatchBatch, { type: "events" }>[]> {
        const found = [];
        for (let count = 0; count < eventCount; ) {
          const batch = await this.next();
          if (batch === undefined || batch.type === "cancelled") throw new Error(`ended: ${JSON.stringify(batch)}`);
          if (batch.type !== "events") continue;
          found.push(batch);
          count += batch.events.length;
        }
        return found;
      }
      async events(count: number): Promise<StoreEvent[]> {
        return (await this.batches(count)).flatMap((batch) => batch.events);
      }
    }

    describe("keys", () => {
      test("a put makes version 1, a second one version 2, a delete and a put version 1 again", async () => {
        fresh();
        const first = await put("a", "1");
        expect(first).toMatchObject({ succeeded: true, responses: [{ type: "put" }] });
        const created = await get("a");
        expect(created).toMatchObject({ version: 1, createRevision: first.revision, modRevision: first.revision });
        expect(created?.lease).toBe(0n);
        const second = await put("a", "2");
        expect(await get("a")).toMatchObject({
          version: 2,
          createRevision: first.revision,
          modRevision: second.revision,
        });
        await del("a");
        expect(await get("a")).toBeUndefined();
        const third = await put("a", "3");
        expect(await get("a")).toMatchObject({ version: 1, createRevision: third.revision });
      });

      test("invariant 3: every writing transaction adds one to the revision, a failed compare and a read none", async () => {
        fresh();
        const start = (await put("a", "1")).revision;
        const failed = await store.txn({
          compare: [{ key: key("a"), target: "version", result: "equal", value: 99 }],
          success: [{ type: "put", key: key("a"), value: bytes("2") }],
        });
        expect(failed).toMatchObject({ succeeded: false, revision: start, responses: [] });
        expect((await list()).revision).toBe(start);
        expect((await del("nothing")).revision).toBe(start);
        const many = await Promise.all(Array.from({ length: 40 }, (_, i) => put(`k${i}`, "x")));
        expect(many.map((one) => one.revision).sort((a, b) => a - b)).toEqual(
          Array.from({ length: 40 }, (_, i) => start + 1 + i),
        );
        const both = await store.txn({
          compare: [],
          success: [
            { type: "put", key: key("x"), value: bytes("1") },
            { type: "put", key: key("y"), value: bytes("1") },
          ],
        });
        expect(both.revision).toBe(start + 41);
        expect((await get("x"))?.modRevision).toBe((await get("y"))?.modRevision);
      });

      test("values and keys are bytes", async () => {
        fresh();
        const wild = Uint8Array.from({ length: 256 }, (_, i) => i);
        const name = new Uint8Array([...bytes(prefix), 0, 255, 128, 10]);
        await store.txn({ compare: [], success: [{ type: "put", key: name, value: wild }] });
        const found = await list();
        expect([...found.kvs[0]!.key]).toEqual([...name]);
        expect([...found.kvs[0]!.value]).toEqual([...wild]);
        await put("empty", "");
        expect((await get("empty"))?.value.length).toBe(0);
      });

      test("a large value comes back whole, in time and out of history", async () => {
        fresh();
        const large = new Uint8Array(1_000_000).fill(7);
        const written = await store.txn({ compare: [], success: [{ type: "put", key: key("a"), value: large }] });
        await put("a", "small");
        const old = await get("a", written.revision);
        expect(Buffer.compare(old!.value, large)).toBe(0);
      });
    });

    describe("ranges", () => {
      const fill = async () => {
        fresh();
        for (const [name, value] of [
          ["b", "2"],
          ["a", "9"],
          ["c", "5"],
          ["e", "1"],
        ] as const) {
          await put(name, value);
        }
        await put("a", "7");
      };

      test("limit, more and count", async () => {
        await fill();
        const page = await list({ limit: 2 });
        expect(names(page.kvs)).toEqual(["a", "b"]);
        expect(page).toMatchObject({ more: true, count: 4 });
        const rest = await list({ key: key("b\0"), limit: 2 });
        expect(names(rest.kvs)).toEqual(["c", "e"]);
        expect(rest).toMatchObject({ more: false, count: 2 });
        expect(await list({ countOnly: true })).toMatchObject({ count: 4, kvs: [], more: false });
        const keysOnly = await list({ keysOnly: true });
        expect(keysOnly.kvs.map((kv) => kv.value.length)).toEqual([0, 0, 0, 0]);
        expect(keysOnly.kvs[0]).toMatchObject({ version: 2 });
      });

      test("ends: single key, exclusive end, to the end, empty", async () => {
        await fill();
        expect(names((await list({ key: key("a"), rangeEnd: key("c") })).kvs)).toEqual(["a", "b"]);
        expect(names((await store.range({ key: key("c") })).kvs)).toEqual(["c"]);
        expect((await store.range({ key: key("d") })).kvs).toEqual([]);
        const toEnd = await store.range({ key: key("c"), rangeEnd: Uint8Array.of(0) });
        expect(names(toEnd.kvs).slice(0, 2)).toEqual(["c", "e"]);
        expect(await list({ key: key("c"), rangeEnd: key("a") })).toMatchObject({ kvs: [], count: 0 });
      });

      test("sorts by every target, the limit after sorting", async () => {
        await fill();
        const sorted = async (target: "key" | "version" | "create" | "mod" | "value", order: "ascend" | "descend") =>
          names((await list({ sort: { target, order } })).kvs).join("");
        expect(await sorted("key", "descend")).toBe("ecba");
        expect(await sorted("create", "ascend")).toBe("bace");
        expect(await sorted("mod", "ascend")).toBe("bcea");
        expect(await sorted("value", "descend")).toBe("acbe");
        expect((await sorted("version", "descend"))[0]).toBe("a");
        const first = await list({ sort: { target: "mod", order: "descend" }, limit: 1 });
        expect(names(first.kvs)).toEqual(["a"]);
        expect(first.more).toBe(true);
        expect(names((await list({ sort: { target: "value", order: "ascend" }, keysOnly: true })).kvs)).toEqual([
          "e",
          "b",
          "c",
          "a",
        ]);
      });

      test("revision bounds", async () => {
        await fill();
        const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => get(name)));
        expect(names((await list({ minModRevision: c!.modRevision })).kvs)).toEqual(["a", "c", "e"]);
        expect(names((await list({ maxModRevision: b!.modRevision })).kvs)).toEqual(["b"]);
        expect(names((await list({ minCreateRevision: a!.createRevision })).kvs)).toEqual(["a", "c", "e"]);
        expect(names((await list({ maxCreateRevision: a!.createRevision })).kvs)).toEqual(["a", "b"]);
        expect((await list({ maxModRevision: b!.modRevision })).count).toBe(4);
      });

      test("invariant 5: a read at a revision gives the same for ever", async () => {
        await fill();
        const revision = (await list()).revision;
        const before = await list({ revision });
        await put("a", "new");
        await del("b");
        await put("d", "born later");
        const after = await list({ revision });
        expect(after.kvs).toEqual(before.kvs);
        expect(after.count).toBe(4);
        expect(after.revision).toBe(revision + 3);
        const page = await list({ revision, limit: 2 });
        expect(names(page.kvs)).toEqual(["a", "b"]);
        expect(page).toMatchObject({ more: true, count: 4 });
        expect(names((await list({ revision, sort: { target: "value", order: "ascend" }, limit: 1 })).kvs)).toEqual([
          "e",
        ]);
        expect(await list({ revision, countOnly: true })).toMatchObject({ count: 4, kvs: [] });
        await expect(list({ revision: revision + 100 })).rejects.toMatchObject({
          code: "OUT_OF_RANGE",
          message: "etcdserver: mvcc: required revision is a future revision",
        });
      });
    });

    describe("transactions", () => {
      test("conditions on every target", async () => {
        fresh();
        const lease = await store.leaseGrant({ ttlSeconds: 1000 });
        const { revision } = await put("a", "m", { lease: lease.id });
        const holds = async (...compare: Parameters<Store["txn"]>[0]["compare"]) =>
          (await store.txn({ compare, success: [] })).succeeded;
        const a = { key: key("a") };
        expect(await holds({ ...a, target: "version", result: "equal", value: 1 })).toBe(true);
        expect(await holds({ ...a, target: "version", result: "greater", value: 1 })).toBe(false);
        expect(await holds({ ...a, target: "create", result: "less", value: revision + 1 })).toBe(true);
        expect(await holds({ ...a, target: "mod", result: "notEqual", value: revision })).toBe(false);
        expect(await holds({ ...a, target: "value", result: "equal", value: bytes("m") })).toBe(true);
        expect(await holds({ ...a, target: "value", result: "greater", value: bytes("a") })).toBe(true);
        expect(await holds({ ...a, target: "lease", result: "equal", value: lease.id })).toBe(true);
        expect(
          await holds(
            { ...a, target: "version", result: "equal", value: 1 },
            { ...a, target: "version", result: "equal", value: 2 },
          ),
        ).toBe(false);
        const missing = { key: key("missing") };
        expect(await holds({ ...missing, target: "mod", result: "equal", value: 0 })).toBe(true);
        expect(await holds({ ...missing, target: "value", result: "equal", value: bytes("") })).toBe(false);
        expect(await holds({ ...missing, target: "value", result: "notEqual", value: bytes("x") })).toBe(false);
        await put("b", "m");
        expect(await holds({ ...all(), target: "value", result: "equal", value: bytes("m") })).toBe(true);
        expect(await holds({ ...all(), target: "mod", result: "equal", value: revision })).toBe(false);
        await store.leaseRevoke(lease.id);
      });

      test("invariant 4: operations see each other in order, and all or none happen", async () => {
        fresh();
        await put("a", "old");
        const result = await store.txn({
          compare: [{ key: key("a"), target: "value", result: "equal", value: bytes("old") }],
          success: [
            { type: "range", key: key("a") },
            { type: "put", key: key("a"), value: bytes("new"), prevKv: true },
            { type: "range", key: key("a") },
            { type: "put", key: key("b"), value: bytes("b") },
            { type: "range", ...all() },
          ],
          failure: [{ type: "delete", ...all() }],
        });
        const [before, written, after, , whole] = result.responses;
        expect(before).toMatchObject({ type: "range", count: 1 });
        expect(before?.type === "range" && text(before.kvs[0]!.value)).toBe("old");
        expect(written?.type === "put" && text(written.prevKv!.value)).toBe("old");
        expect(after?.type === "range" && text(after.kvs[0]!.value)).toBe("new");
        expect(whole).toMatchObject({ count: 2 });
        const missingLease = store.txn({
          compare: [],
          success: [
            { type: "put", key: key("c"), value: bytes("c") },
            { type: "put", key: key("d"), value: bytes("d"), lease: 12345n },
          ],
        });
        await expect(missingLease).rejects.toMatchObject({
          code: "NOT_FOUND",
          message: "etcdserver: requested lease not found",
        });
        expect(names((await list()).kvs)).toEqual(["a", "b"]);
      });

      test("nested transactions", async () => {
        fresh();
        await put("a", "1");
        const nested = (value: string): StoreOp => ({
          type: "txn",
          compare: [{ key: key("a"), target: "value", result: "equal", value: bytes(value) }],
          success: [{ type: "put", key: key("then"), value: bytes(value) }],
          failure: [{ type: "put", key: key("else"), value: bytes(value) }],
        });
        const result = await store.txn({ compare: [], success: [nested("1")] });
        expect(result.responses[0]).toMatchObject({ type: "txn", succeeded: true, responses: [{ type: "put" }] });
        const other = await store.txn({ compare: [], success: [nested("2")] });
        expect(other.responses[0]).toMatchObject({ type: "txn", succeeded: false });
        expect(names((await list()).kvs)).toEqual(["a", "else", "then"]);
      });

      test("ranges of keys are deleted and given back", async () => {
        fresh();
        for (const name of ["a", "b", "c"]) await put(name, name);
        const { responses } = await store.txn({
          compare: [],
          success: [{ type: "delete", key: key("a"), rangeEnd: key("c"), prevKv: true }],
        });
        const gone = responses[0];
        expect(gone).toMatchObject({ type: "delete", deleted: 2 });
        expect(gone?.type === "delete" && names(gone.prevKvs)).toEqual(["a", "b"]);
        expect(names((await list()).kvs)).toEqual(["c"]);
      });

      test("ignoreValue and ignoreLease keep what is there", async () => {
        fresh();
        const lease = await store.leaseGrant({ ttlSeconds: 1000 });
        await put("a", "kept", { lease: lease.id });
        const none = bytes("");
        await store.txn({
          compare: [],
          success: [{ type: "put", key: key("a"), value: none, ignoreValue: true, ignoreLease: true }],
        });
        expect(await get("a")).toMatchObject({ version: 2, lease: lease.id });
        expect(text((await get("a"))!.value)).toBe("kept");
        await expect(
          store.txn({ compare: [], success: [{ type: "put", key: key("z"), value: none, ignoreValue: true }] }),
        ).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: "etcdserver: key not found" });
        await expect(
          store.txn({ compare: [], success: [{ type: "put", key: key("a"), value: bytes("v"), ignoreValue: true }] }),
        ).rejects.toMatchObject({ message: "etcdserver: value is provided" });
        await expect(
          store.txn({
            compare: [],
            success: [{ type: "put", key: key("a"), value: bytes("v"), ignoreLease: true, lease: lease.id }],
          }),
        ).rejects.toMatchObject({ message: "etcdserver: lease is provided" });
        await store.leaseRevoke(lease.id);
      });

      test("invariant 4: racing read-modify-writes never lose an update", async () => {
        fresh();
        await put("n", "0");
        const increment = async () => {
          for (;;) {
            const now = (await get("n"))!;
            const done = await store.txn({
              compare: [{ key: key("n"), target: "mod", result: "equal", value: now.modRevision }],
              success: [{ type: "put", key: key("n"), value: bytes(String(Number(text(now.value)) + 1)) }],
            });
            if (done.succeeded) return;
          }
        };
        await Promise.all(Array.from({ length: 8 }, async () => [await increment(), await increment()]));
        expect(text((await get("n"))!.value)).toBe("16");
      });

      const putOf = (suffix: string): StoreOp => ({ type: "put", key: key(suffix), value: bytes("v") });
      const bad: [string, () => Parameters<Store["txn"]>[0], string][] = [
        [
          "an empty key",
          () => ({ compare: [], success: [{ type: "put", key: bytes(""), value: bytes("v") }] }),
          "etcdserver: key is not provided",
        ],
        [
          "129 operations",
          () => ({ compare: [], success: Array.from({ length: 129 }, (_, i) => putOf(`k${i}`)) }),
          "etcdserver: too many operations in txn request",
        ],
        [
          "129 operations counted with the nested",
          () => ({
            compare: [],
            success: [{ type: "txn", compare: [], success: Array.from({ length: 128 }, (_, i) => putOf(`k${i}`)) }],
          }),
          "etcdserver: too many operations in txn request",
        ],
        [
          "a key put twice",
          () => ({ compare: [], success: [putOf("a"), putOf("a")] }),
          "etcdserver: duplicate key given in txn request",
        ],
        [
          "a key put and deleted",
          () => ({ compare: [], success: [putOf("a"), { type: "delete", ...all() }] }),
          "etcdserver: duplicate key given in txn request",
        ],
        [
          "a key put outside and inside",
          () => ({
            compare: [],
            success: [putOf("a"), { type: "txn", compare: [], success: [], failure: [putOf("a")] }],
          }),
          "etcdserver: duplicate key given in txn request",
        ],
        [
          "more than 1.5 MiB",
          () => ({
            compare: [],
            success: [{ type: "put", key: key("a"), value: new Uint8Array(1.5 * 1024 * 1024) }],
          }),
          "etcdserver: request is too large",
        ],
      ];
      for (const [what, request, message] of bad) {
        test(`refuses ${what}`, async () => {
          fresh();
          await expect(store.txn(request())).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
          expect((await list()).count).toBe(0);
        });
      }

      test("takes 128 operations, two deletes of the same, and the same key in both nested branches", async () => {
        fresh();
        await store.txn({ compare: [], success: Array.from({ length: 128 }, (_, i) => putOf(`k${i}`)) });
        expect((await list()).count).toBe(128);
        await store.txn({
          compare: [],
          success: [
            { type: "delete", ...all() },
            { type: "delete", ...all() },
          ],
        });
        const either: StoreOp = { type: "txn", compare: [], success: [putOf("a")], failure: [putOf("a")] };
        await store.txn({ compare: [], success: [either] });
        expect((await list()).count).toBe(1);
      });

      test("refuses an empty key to read and a sort that does not exist", async () => {
        await expect(store.range({ key: bytes("") })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
        const sort = { target: "colour", order: "ascend" } as unknown as NonNullable<
          Parameters<Store["range"]>[0]["sort"]
        >;
        await expect(store.range({ key: bytes("a"), sort })).rejects.toMatchObject({
          code: "INVALID_ARGUMENT",
          message: "etcdserver: invalid sort option",
        });
      });
    });

    describe("watches", () => {
      test("invariant 13: from now on, and the first batch says so", async () => {
        fresh();
        const { revision } = await put("a", "before");
        const reader = new Reader();
        expect(await reader.next()).toEqual({ type: "created", revision });
        await put("a", "after");
        await del("a");
        expect((await reader.events(2)).map(show)).toEqual([
          `put a=after@${revision + 1}`,
          `delete a=@${revision + 2}`,
        ]);
        reader.watch.cancel();
        expect(await reader.next()).toBeUndefined();
      });

      test("invariant 11: history and what follows, ordered, once, without a gap", async () => {
        fresh();
        const first = (await put("k0", "0")).revision;
        for (let i = 1; i < 20; i++) await put(`k${i % 5}`, String(i));
        const reader = new Reader({ startRevision: first });
        const writing = Promise.all(Array.from({ length: 30 }, (_, i) => put(`w${i}`, "x")));
        const events = await reader.events(50);
        await writing;
        expect(events.map((event) => event.kv.modRevision)).toEqual(Array.from({ length: 50 }, (_, i) => first + i));
        reader.watch.cancel();
      });

      test("invariant 11: the events of a transaction come in one batch", async () => {
        fresh();
        const start = (await put("a", "1")).revision;
        for (let round = 0; round < 3; round++) {
          await store.txn({
            compare: [],
            success: Array.from({ length: 10 }, (_, i) => ({
              type: "put" as const,
              key: key(`k${i}`),
              value: bytes(String(round)),
            })),
          });
        }
        await store.txn({ compare: [], success: [{ type: "delete", ...all() }] });
        const reader = new Reader({ startRevision: start });
        const revisionsOfBatches = (await reader.batches(42)).map(
          (batch) => new Set(batch.events.map((event) => event.kv.modRevision)),
        );
        const seen = revisionsOfBatches.flatMap((revisions) => [...revisions]);
        expect(new Set(seen).size).toBe(seen.length);
        reader.watch.cancel();
      });

      test("invariant 11: previous versions, in history and live", async () => {
        fresh();
        const start = (await put("a", "1")).revision;
        await put("a", "2");
        const reader = new Reader({ startRevision: start, prevKv: true });
        await put("a", "3");
        await del("a");
        await put("a", "4");
        const events = await reader.events(5);
        expect(events.map((event) => (event.prevKv === undefined ? "-" : text(event.prevKv.value)))).toEqual([
          "-",
          "1",
          "2",
          "3",
          "-",
        ]);
        expect(events[3]).toMatchObject({ type: "delete", prevKv: { version: 3 } });
        reader.watch.cancel();
        const plain = new Reader({ startRevision: start });
        expect((await plain.events(5)).every((event) => event.prevKv === undefined)).toBe(true);
        plain.watch.cancel();
      });

      test("invariant 11: filters", async () => {
        fresh();
        const start = (await put("a", "1")).revision;
        await del("a");
        await put("b", "2");
        await del("b");
        const puts = new Reader({ startRevision: start, filters: ["nodelete"] });
        expect((await puts.events(2)).map((event) => event.type)).toEqual(["put", "put"]);
        const deletes = new Reader({ startRevision: start, filters: ["noput"] });
        expect((await deletes.events(2)).map((event) => event.type)).toEqual(["delete", "delete"]);
        puts.watch.cancel();
        deletes.watch.cancel();
      });

      test("a key, a range and everything to the end", async () => {
        fresh();
        const one = new Reader({ key: key("b"), rangeEnd: new Uint8Array(0) });
        const some = new Reader({ key: key("a"), rangeEnd: key("c") });
        const rest = new Reader({ key: key("c"), rangeEnd: Uint8Array.of(0) });
        for (const reader of [one, some, rest]) await reader.next();
        for (const name of ["a", "b", "c", "d"]) await put(name, name);
        expect((await one.events(1)).map((event) => text(event.kv.value))).toEqual(["b"]);
        expect((await some.events(2)).map((event) => text(event.kv.value))).toEqual(["a", "b"]);
        expect((await rest.events(2)).map((event) => text(event.kv.value))).toEqual(["c", "d"]);
        for (const reader of [one, some, rest]) reader.watch.cancel();
      });

      test("invariant 13: a start in the future waits and sends nothing older", async () => {
        fresh();
        const { revision } = await put("a", "0");
        const reader = new Reader({ startRevision: revision + 3 });
        expect((await reader.next())?.type).toBe("created");
        for (let i = 1; i <= 4; i++) await put("a", String(i));
        expect((await reader.events(2)).map(show)).toEqual([`put a=3@${revision + 3}`, `put a=4@${revision + 4}`]);
        reader.watch.cancel();
      });

      test("invariant 12: progress is asked for and answered, on an idle watch too", async () => {
        fresh();
        const reader = new Reader();
        await reader.next();
        const { revision } = await store.txn({
          compare: [],
          success: [{ type: "put", key: bytes("/suite-elsewhere"), value: bytes("1") }],
        });
        reader.watch.requestProgress();
        const progress = await reader.next();
        expect(progress?.type).toBe("progress");
        expect(progress?.revision).toBeGreaterThanOrEqual(revision);
        reader.watch.cancel();
      });

      const whenProgressIsTrusted = subject.progressTrusted ? test : untested;
      whenProgressIsTrusted("invariant 12: progress comes after every event that it covers", async () => {
        fresh();
        const reader = new Reader({ startRevision: (await put("a", "0")).revision });
        let asked = 0;
        const writing = (async () => {
          for (let i = 0; i < 100; i++) {
            await put("a", String(i));
            if (i % 10 === 0) {
              reader.watch.requestProgress();
              asked++;
            }
          }
          reader.watch.requestProgress();
        })();
        let seen = 0;
        let eventCount = 0;
        let progressCount = 0;
        while (eventCount < 101) {
          const batch = (await reader.next())!;
          if (batch.type === "events") {
            for (const event of batch.events) {
              expect(event.kv.modRevision).toBeGreaterThan(seen);
              seen = event.kv.modRevision;
              eventCount++;
            }
          } else if (batch.type === "progress") {
            expect(batch.revision).toBeGreaterThan(0);
            expect(batch.revision).toBeGreaterThanOrEqual(seen);
            seen = batch.revision;
            progressCount++;
          }
        }
        await writing;
        expect(asked).toBe(10);
        const last = progressCount > 0 ? undefined : await reader.next();
        expect(progressCount > 0 || last?.type === "progress").toBe(true);
        reader.watch.cancel();
      });

      test("a reader that is too slow loses its watch, and says so", async () => {
        fresh();
        const reader = new Reader({ bufferLimit: 10 });
        await reader.next();
        for (let i = 0; i < 30; i++) await put("a", String(i));
        const others = new Reader({ startRevision: (await get("a"))!.modRevision });
        await others.events(1);
        others.watch.cancel();
        let batch = await reader.next();
        while (batch?.type === "events") batch = await reader.next();
        expect(batch).toMatchObject({ type: "cancelled", reason: "the reader is too slow" });
        expect(await reader.next()).toBeUndefined();
      });
    });

    describe("leases", () => {
      test("invariant 14: a lease that ends takes its keys with it in one revision, not before its time", async () => {
        fresh();
        const seconds = Math.max(2, subject.minLeaseSeconds);
        const lease = await store.leaseGrant({ ttlSeconds: seconds });
        expect(lease.ttlSeconds).toBe(seconds);
        await put("a", "1", { lease: lease.id });
        const last = await put("b", "2", { lease: lease.id });
        await put("c", "no lease");
        const reader = new Reader({ startRevision: last.revision + 1 });
        await subject.advance(seconds * 1000 - 500);
        expect((await list()).count).toBe(3);
        await subject.advance(700);
        const events = (await reader.batches(3)).flatMap((batch) => batch.events);
        const deletes = events.filter((event) => event.type === "delete");
        expect(deletes.map((event) => text(event.kv.key).slice(prefix.length)).sort()).toEqual(["a", "b"]);
        expect(new Set(deletes.map((event) => event.kv.modRevision)).size).toBe(1);
        expect(names((await list()).kvs)).toEqual(["c"]);
        expect(await store.leaseKeepAlive(lease.id)).toBe(0);
        reader.watch.cancel();
      });

      test("a lease that is kept alive goes on", async () => {
        fresh();
        const seconds = Math.max(2, subject.minLeaseSeconds);
        const lease = await store.leaseGrant({ ttlSeconds: seconds });
        await put("a", "1", { lease: lease.id });
        await subject.advance(seconds * 600);
        expect(await store.leaseKeepAlive(lease.id)).toBe(seconds);
        await subject.advance(seconds * 600);
        expect((await list()).count).toBe(1);
        await store.leaseRevoke(lease.id);
        expect((await list()).count).toBe(0);
      });

      test("a key that was put without its lease is held by it no more", async () => {
        fresh();
        const [one, two] = [await store.leaseGrant({ ttlSeconds: 500 }), await store.leaseGrant({ ttlSeconds: 500 })];
        await put("a", "1", { lease: one.id });
        await put("b", "1", { lease: one.id });
        await put("c", "1", { lease: one.id });
        await put("a", "2");
        await put("b", "2", { lease: two.id });
        const before = (await list()).revision;
        await store.leaseRevoke(one.id);
        expect(names((await list()).kvs)).toEqual(["a", "b"]);
        expect((await list()).revision).toBe(before + 1);
        await store.leaseRevoke(two.id);
        expect(names((await list()).kvs)).toEqual(["a"]);
      });

      test("revoking an empty lease makes no revision", async () => {
        fresh();
        const { revision } = await put("a", "1");
        const lease = await store.leaseGrant({ ttlSeconds: 500 });
        await store.leaseRevoke(lease.id);
        expect((await list()).revision).toBe(revision);
      });

      test("refuses what etcd refuses", async () => {
        const lease = await store.leaseGrant({ ttlSeconds: 500, id: 987_654_321n });
        expect(lease.id).toBe(987_654_321n);
        await expect(store.leaseGrant({ ttlSeconds: 500, id: lease.id })).rejects.toMatchObject({
          code: "FAILED_PRECONDITION",
          message: "etcdserver: lease already exists",
        });
        await store.leaseRevoke(lease.id);
        await expect(store.leaseRevoke(lease.id)).rejects.toMatchObject({
          code: "NOT_FOUND",
          message: "etcdserver: requested lease not found",
        });
        await expect(store.leaseGrant({ ttlSeconds: 9_000_000_001 })).rejects.toMatchObject({
          code: "OUT_OF_RANGE",
          message: "etcdserver: too large lease TTL",
        });
        expect(await store.leaseKeepAlive(424_242n)).toBe(0);
        const long = await store.leaseGrant({ ttlSeconds: 3_000_000_000 });
        expect(await store.leaseKeepAlive(long.id)).toBe(3_000_000_000);
        await store.leaseRevoke(long.id);
      });
    });

    // Last, since it takes the history of all tests before it.
    describe("compaction", () => {
      test("invariants 5, 6 and 13: what is left after it, and what is refused", async () => {
        fresh();
        await put("gone", "1");
        await put("kept", "1");
        await put("kept", "2");
        await del("gone");
        const at = (await put("later", "1")).revision;
        const before = await list({ revision: at });
        await put("kept", "3");
        const deletion = await del("later");
        await store.compact(at);
        await expect(store.range({ ...all(), revision: at - 1 })).rejects.toMatchObject({
          code: "OUT_OF_RANGE",
          message: "etcdserver: mvcc: required revision has been compacted",
        });
        expect((await list({ revision: at })).kvs).toEqual(before.kvs);
        await expect(store.compact(at)).rejects.toMatchObject({
          code: "OUT_OF_RANGE",
          message: "etcdserver: mvcc: required revision has been compacted",
        });
        await expect(store.compact(deletion.revision + 100)).rejects.toMatchObject({
          code: "OUT_OF_RANGE",
          message: "etcdserver: mvcc: required revision is a future revision",
        });
        const old = new Reader({ startRevision: at - 1 });
        expect((await old.next())?.type).toBe("created");
        expect(await old.next()).toMatchObject({ type: "cancelled", compactRevision: at });
        expect(await old.next()).toBeUndefined();
        const reader = new Reader({ startRevision: at });
        expect((await reader.events(3)).map(show)).toEqual([
          `put later=1@${at}`,
          `put kept=3@${at + 1}`,
          `delete later=@${at + 2}`,
        ]);
        reader.watch.cancel();
      });

      const whenDeletionIsKept = subject.keepsDeletionAtCompactRevision ? test : untested;
      whenDeletionIsKept(
        "invariant 6: a deletion at the compact revision reaches watchers that start there",
        async () => {
          fresh();
          await put("a", "1");
          const { revision } = await del("a");
          await put("b", "1");
          await store.compact(revision);
          await subject.advance(50);
          const reader = new Reader({ startRevision: revision });
          expect((await reader.events(2)).map(show)).toEqual([`delete a=@${revision}`, `put b=1@${revision + 1}`]);
          reader.watch.cancel();
          expect(names((await list({ revision })).kvs)).toEqual([]);
        },
      );

      test("a watch that has caught up is not touched", async () => {
        fresh();
        const reader = new Reader();
        await reader.next();
        const { revision } = await put("a", "1");
        await reader.events(1);
        await put("a", "2");
        await store.compact(revision + 1);
        await put("a", "3");
        expect((await reader.events(2)).map((event) => text(event.kv.value))).toEqual(["2", "3"]);
        reader.watch.cancel();
      });

      test("closing ends watches", async () => {
        fresh();
        const other = await subject.open();
        const watch = other.watch(all())[Symbol.asyncIterator]();
        await watch.next();
        const next = watch.next();
        await other.close();
        expect((await next).done).toBe(true);
        await expect(other.range(all())).rejects.toMatchObject({ code: "UNAVAILABLE" });
      });
    });
  });
}
