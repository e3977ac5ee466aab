import { afterEach, expect, test } from "vitest";
import type { Fence } from "../client/api-client.ts";
import { MemoryApi } from "../client/testkit/memory-api.ts";
import { silentLog } from "../core/log.ts";
import { SeededRandom } from "../core/seeded-random.ts";
import { serviceUnavailable } from "../core/status-error.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { configMaps, leases } from "../gen/k8s/resources.ts";
import { FencedApi } from "./fenced-api.ts";
import { LeaderElector } from "./leader-elector.ts";

const KEY = { namespace: "kube-system", name: "l" };
const open: LeaderElector[] = [];
afterEach(async () => {
  for (const elector of open.splice(0)) await elector.stop();
});

function world() {
  const clock = new VirtualClock();
  const random = new SeededRandom(2);
  const api = new MemoryApi({ clock, random });
  const working = new Set<string>();
  const terms: Fence[] = [];
  let overlaps = 0;
  const lost: string[] = [];
  /** `reach` stands between this candidate and the API. */
  const make = (identity: string, reach: MemoryApi = api) => {
    const elector = new LeaderElector(
      { api: reach, clock, random, log: silentLog },
      { namespace: "kube-system", name: "l", identity, onLost: () => lost.push(identity) },
      async (fence, signal) => {
        terms.push(fence);
        working.add(identity);
        if (working.size > 1) overlaps++;
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        working.delete(identity);
      },
    );
    open.push(elector);
    return elector;
  };
  return { clock, api, make, working, terms, lost, overlaps: () => overlaps };
}

/** The same API, with a cut that this candidate alone feels. */
function cut(api: MemoryApi, isCut: () => boolean): MemoryApi {
  return new Proxy(api, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) =>
        isCut() ? Promise.reject(serviceUnavailable("cut off")) : Reflect.apply(member, target, args);
    },
  });
}

test("one of three leads; when it stops, another begins at once with a higher transition count", async () => {
  const { clock, make, working, terms, overlaps } = world();
  const [a, b, c] = [make("a"), make("b"), make("c")];
  await Promise.all([a.start(), b.start(), c.start()]);
  await clock.advance(30_000);
  expect(working.size).toBe(1);
  const first = [...working][0];
  await { a, b, c }[first as "a" | "b" | "c"].stop();
  await clock.advance(3_000);
  expect(working.size).toBe(1);
  expect(working.has(first ?? "")).toBe(false);
  expect(terms.map((fence) => fence.transitions)).toEqual([0, 1]);
  expect(overlaps()).toBe(0);
});

test("invariant 33: a leader that cannot renew stops before another begins, and its late write fails", async () => {
  const { clock, api, make, working, terms, lost, overlaps } = world();
  let isCut = false;
  const a = make(
    "a",
    cut(api, () => isCut),
  );
  await a.start();
  await clock.advance(3_000);
  const b = make("b");
  await b.start();
  await clock.advance(5_000);
  expect([...working]).toEqual(["a"]);
  isCut = true;
  await clock.advance(11_000);
  expect([...working]).toEqual([]);
  expect(lost).toEqual(["a"]);
  await clock.advance(12_000);
  expect([...working]).toEqual(["b"]);
  expect(overlaps()).toBe(0);
  const stale = new FencedApi(api, terms[0]!);
  const draft = { metadata: { name: "late", namespace: "x" } };
  await expect(stale.create(configMaps, draft)).rejects.toMatchObject({ code: 409 });
  await expect(stale.delete(configMaps, { namespace: "x", name: "any" })).rejects.toMatchObject({ code: 409 });
  await new FencedApi(api, terms[1]!).create(configMaps, draft);
});

test("F2: a leader that was suspended while another took over works no more", async () => {
  const { clock, api, make, working, overlaps } = world();
  let asleep = false;
  const a = make(
    "a",
    cut(api, () => asleep),
  );
  await a.start();
  await clock.advance(3_000);
  asleep = true;
  await make("b").start();
  await clock.advance(30_000);
  asleep = false;
  await clock.advance(60_000);
  expect([...working]).toEqual(["b"]);
  expect(overlaps()).toBe(0);
  expect((await api.get(leases, KEY)).spec?.holderIdentity).toBe("b");
});

test("a lease that its dead holder left is taken after its duration by our clock, not by its time", async () => {
  const { clock, api, make, working } = world();
  await api.create(leases, {
    metadata: { name: "l", namespace: "kube-system" },
    spec: {
      holderIdentity: "dead",
      leaseDurationSeconds: 15,
      renewTime: "2001-01-01T00:00:00.000000Z",
      leaseTransitions: 6,
    },
  });
  await make("a").start();
  await clock.advance(14_900);
  expect(working.size).toBe(0);
  await clock.advance(5_000);
  expect([...working]).toEqual(["a"]);
  const lease = await api.get(leases, KEY);
  expect(lease.spec).toMatchObject({ holderIdentity: "a", leaseTransitions: 7 });
});

test("stopping gives the lease back and leaves no timer", async () => {
  const { clock, api, make } = world();
  const a = make("a");
  await a.start();
  await clock.advance(10_000);
  await a.stop();
  expect((await api.get(leases, KEY)).spec?.holderIdentity).toBeUndefined();
  expect(clock.pendingTimers).toBe(0);
});

test("work that ends by itself gives the lease up", async () => {
  const { clock, api } = world();
  const elector = new LeaderElector(
    { api, clock, random: new SeededRandom(1), log: silentLog },
    { namespace: "kube-system", name: "l", identity: "a" },
    async () => {
      throw new Error("broken");
    },
  );
  open.push(elector);
  await elector.start();
  await clock.advance(10);
  expect(elector.leading).toBe(false);
});

test("F1: a leader that was killed is followed before its lease and one look of another have passed", async () => {
  const { clock, api, make, working } = world();
  let isDead = false;
  const a = make(
    "a",
    cut(api, () => isDead),
  );
  await a.start();
  await clock.advance(3_000);
  await Promise.all([make("b").start(), make("c").start()]);
  for (let killedMs = 0; working.has("a"); killedMs += 100) {
    isDead = killedMs >= 7_000;
    await clock.advance(100);
  }
  const renewedMs = Date.parse((await api.get(leases, KEY)).spec?.renewTime ?? "");
  await clock.advanceUntil(() => working.size > 0);
  expect(clock.nowMs() - renewedMs).toBeLessThanOrEqual(12_000 + 1_200);
  expect(working.size).toBe(1);
});

test("a leader renews without reading, and goes on when somebody else wrote its lease", async () => {
  const { clock, api, make, working, lost } = world();
  let reads = 0;
  const counting = new Proxy(api, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (name === "get") reads++;
        return Reflect.apply(member, target, args);
      };
    },
  });
  await make("a", counting).start();
  await clock.advance(30_000);
  expect(reads).toBe(1);
  await api.patch(leases, KEY, { type: "merge", body: { metadata: { labels: { seen: "yes" } } } });
  await clock.advance(30_000);
  expect(reads).toBe(2);
  const { metadata, spec } = await api.get(leases, KEY);
  expect(metadata?.labels).toEqual({ seen: "yes" });
  expect(clock.nowMs() - Date.parse(spec?.renewTime ?? "")).toBeLessThanOrEqual(2_400);
  expect([...working]).toEqual(["a"]);
  expect(lost).toEqual([]);
});
