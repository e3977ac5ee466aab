import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ApiFixture } from "../api/api-fixture.ts";
import { eventually } from "../kit/eventually.ts";
import { TcpProxy } from "../kit/tcp-proxy.ts";
import { type ServedStore, serveStore } from "../store/served-store.ts";
import { CONFIG_MAPS, etcdStore, namesOf, post, startTwo, type TwoServers } from "./two-servers.ts";

/** Deadlines of a write and of a read after it, with room for a busy machine. */
const ANSWER_LIMIT_MS = 25_000;
const SOON = { timeoutMs: 60_000 };
const STOPPED_MS = 20_000;
/** When a process that stops is ended anyway (`lib/process/life-cycle.ts`). */
const STOP_LIMIT_MS = 20_000;

let cleanUp: AsyncDisposableStack;
let folder: string;
let store: ServedStore;
let proxy: TcpProxy;
let servers: TwoServers;
let first: ApiFixture;
let second: ApiFixture;

beforeEach(async () => {
  cleanUp = new AsyncDisposableStack();
  folder = mkdtempSync(path.join(tmpdir(), "keelson-partition-"));
  cleanUp.defer(() => rmSync(folder, { recursive: true, force: true }));
  store = await serveStore(["--insecure", `--data-dir=${folder}`]);
  cleanUp.defer(async () => {
    store.child.kill("SIGCONT");
    await store.stop();
  });
  proxy = cleanUp.use(await TcpProxy.start(store.address));
  servers = cleanUp.use(await startTwo([etcdStore([store.address]), etcdStore([proxy.address])]));
  ({ first, second } = servers);
});

afterEach(async () => {
  store.child.kill("SIGCONT");
  await cleanUp.disposeAsync();
});

/** Status of an answer, which must come in time. */
async function code(work: Promise<{ status: number }>): Promise<number> {
  const startedMs = performance.now();
  const { status } = await work;
  expect(performance.now() - startedMs).toBeLessThan(ANSWER_LIMIT_MS);
  return status;
}

async function ready(of: ApiFixture): Promise<void> {
  await eventually(async () => expect(await code(of.send("GET", "/readyz"))).toBe(200), SOON);
}

async function names(of: ApiFixture): Promise<string[]> {
  const answer = await of.send("GET", CONFIG_MAPS);
  expect(answer.status).toBe(200);
  return namesOf(answer);
}

test.each(["both", "toClient", "toServer"] as const)(
  "F10: cut off from the store (%s): clean errors in time, not ready, nothing stale; heals by itself",
  async (direction) => {
    const informer = await servers.informer([second]);
    expect((await post(second, "before")).status).toBe(201);
    await eventually(() => expect(informer.store.list()).toHaveLength(1));
    proxy.pause(direction);
    const requests = [
      second.send("GET", "/readyz"),
      second.send("GET", CONFIG_MAPS),
      second.send("GET", `${CONFIG_MAPS}/before`),
      post(second, "during"),
      second.send("DELETE", `${CONFIG_MAPS}/before`, { body: '{"preconditions":{"uid":"none"}}' }),
    ];
    expect((await post(first, "elsewhere")).status).toBe(201);
    const [readiness, ...codes] = await Promise.all(requests.map(code));
    expect(readiness).toBe(500);
    expect(codes.filter((status) => status !== 503 && status !== 504)).toEqual([]);
    expect(namesOf(await second.send("GET", `${CONFIG_MAPS}?resourceVersion=0`))).toContain("before");
    proxy.resume();
    await ready(second);
    const seen = await names(second);
    expect(seen).toEqual(await names(first));
    expect(seen).toEqual(expect.arrayContaining(["before", "elsewhere"]));
    // What had an unknown outcome was done once or not at all.
    expect(await code(post(second, "during"))).toBe(seen.includes("during") ? 409 : 201);
    await eventually(() => expect(informer.store.list()).toHaveLength(3), SOON);
    expect(informer.lists).toBe(1);
  },
);

test("F10: an api-server that is cut off can be stopped in time, and says no success on its way", async () => {
  proxy.pause();
  // Its connection may be closed before the store's time is over.
  const asked = code(post(second, "during")).catch(() => 503);
  await eventually(async () => {
    const { text } = await second.send("GET", "/metrics");
    expect(text).toMatch(/^apiserver_current_inflight_requests\{.*mutating"\} 1$/m);
  });
  const startedMs = performance.now();
  const stopped = second.api.stop();
  expect([503, 504]).toContain(await asked);
  await stopped;
  expect(performance.now() - startedMs).toBeLessThan(STOP_LIMIT_MS);
});

test("F10: a line that is cut again and again loses nothing that was acknowledged", async () => {
  const informer = await servers.informer([second]);
  const acknowledged: string[] = [];
  const codes = new Set<number>();
  for (let index = 0; acknowledged.length < 40 || index < 60; index++) {
    if (index % 7 === 3) proxy.cut();
    const status = await code(post(second, `w${index}`));
    codes.add(status);
    if (status === 201) acknowledged.push(`w${index}`);
  }
  expect([...codes].filter((status) => status !== 201 && status !== 503 && status !== 504)).toEqual([]);
  await ready(second);
  expect(await names(second)).toEqual(expect.arrayContaining(acknowledged));
  const all = await names(first);
  await eventually(() => {
    expect(
      informer.store
        .list()
        .map(({ metadata }) => metadata?.name)
        .sort(),
    ).toEqual(all);
  }, SOON);
  expect(informer.lists).toBe(1);
});

test("F10: a slow line costs time and nothing else", async () => {
  proxy.delay(300);
  expect(await code(post(second, "late"))).toBe(201);
  expect(await names(second)).toContain("late");
  expect((await post(first, "other")).status).toBe(201);
  expect(await names(second)).toContain("other");
  expect(await code(second.send("GET", "/readyz"))).toBe(200);
});

test("F9: over 4 KiB/s what is small goes through, what is large fails in time, and nothing wrong is told", async () => {
  const informer = await servers.informer([second]);
  const large = { text: "x".repeat(200_000) };
  expect((await post(first, "known", large)).status).toBe(201);
  await eventually(() => expect(informer.store.list()).toHaveLength(1));
  proxy.throttle(4_096);
  expect(await code(post(second, "small"))).toBe(201);
  expect([503, 504]).toContain(await code(post(second, "large", large)));
  // Something large by another server keeps the watch busy: a read waits for it, or says that it cannot.
  expect((await post(first, "other", large)).status).toBe(201);
  const read = await second.send("GET", CONFIG_MAPS);
  if (read.status === 200) expect(namesOf(read)).toContain("other");
  else expect([503, 504]).toContain(read.status);
  proxy.heal();
  await ready(second);
  const all = await names(first);
  expect(await names(second)).toEqual(all);
  expect(all).toEqual(expect.arrayContaining(["known", "small", "other"]));
  await eventually(() => expect(informer.store.list()).toHaveLength(all.length), SOON);
  expect(informer.lists).toBe(1);
});

test("F2: the store is stopped for 20 s: late answers or clean errors, and nobody has to start anything again", async () => {
  const informers = [await servers.informer([first]), await servers.informer([second])];
  const acknowledged: string[] = [];
  const codes = new Set<number>();
  let isOver = false;
  let number = 0;
  const write = async (of: ApiFixture): Promise<void> => {
    while (!isOver) {
      const name = `w${number++}`;
      const status = await code(post(of, name));
      codes.add(status);
      if (status === 201) acknowledged.push(name);
    }
  };
  const writing = Promise.all([write(first), write(second)]);
  await eventually(() => expect(acknowledged.length).toBeGreaterThan(10));
  store.child.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, STOPPED_MS));
  store.child.kill("SIGCONT");
  const before = acknowledged.length;
  await eventually(() => expect(acknowledged.length).toBeGreaterThan(before + 10), SOON);
  isOver = true;
  await writing;
  expect([...codes].filter((status) => status !== 201 && status !== 503 && status !== 504)).toEqual([]);
  await Promise.all([ready(first), ready(second)]);
  const all = await names(first);
  expect(all).toEqual(await names(second));
  expect(all).toEqual(expect.arrayContaining(acknowledged));
  for (const informer of informers) {
    await eventually(() => {
      expect(
        informer.store
          .list()
          .map(({ metadata }) => metadata?.name)
          .sort(),
      ).toEqual(all);
    }, SOON);
    expect(informer.lists).toBe(1);
  }
});
