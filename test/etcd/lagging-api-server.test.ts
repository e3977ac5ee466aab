import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { coreEvents } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import type { Store } from "../../lib/store/store.ts";
import { openStore } from "../../services/store/open-store.ts";
import type { ApiFixture, HttpAnswer } from "../api/api-fixture.ts";
import { type WatchLine, watchLines } from "../api/watch-lines.ts";
import { eventually } from "../kit/eventually.ts";
import { LaggingStore } from "./lagging-store.ts";
import { CONFIG_MAPS, namesOf, post, revisionOf, startTwo, type TwoServers } from "./two-servers.ts";

let store: Store;
let lagging: LaggingStore;
let servers: TwoServers;
let first: ApiFixture;
let second: ApiFixture;

beforeEach(async () => {
  const onFatal = (reason: string): void => {
    throw new Error(reason);
  };
  store = await openStore({ clock: realClock, random: realRandom, log: silentLog, onFatal });
  lagging = new LaggingStore(store);
  servers = await startTwo([unclosable(store), lagging]);
  ({ first, second } = servers);
});

afterEach(async () => {
  lagging.release();
  await servers[Symbol.asyncDispose]();
});

/** The first server must not close what the second still uses. */
function unclosable(of: Store): Store {
  const close = async (): Promise<void> => {};
  return new Proxy(of, {
    get: (target, name: keyof Store) => (name === "close" ? close : target[name].bind(target)),
  });
}

function get(of: ApiFixture, name: string, query = ""): Promise<HttpAnswer> {
  return of.send("GET", `${CONFIG_MAPS}/${name}${query}`);
}

function put(of: ApiFixture, object: unknown): Promise<HttpAnswer> {
  const { metadata } = object as { metadata: { name: string } };
  return of.send("PUT", `${CONFIG_MAPS}/${metadata.name}`, { body: JSON.stringify(object) });
}

function expectTooNew(answer: HttpAnswer): void {
  expect(answer.status).toBe(504);
  expect(answer.headers["retry-after"]).toBe("1");
  expect(answer.text).toContain("Too large resource version");
}

test("invariant 19: a session that moves to a server that lags sees nothing older than what it has seen", async () => {
  expect((await post(first, "seen")).status).toBe(201);
  await eventually(async () => expect((await get(second, "seen")).status).toBe(200));
  lagging.hold();
  const written = await put(first, { metadata: { name: "seen" }, data: { state: "new" } });
  const revision = revisionOf(written);
  const list = await first.send("GET", CONFIG_MAPS);
  expect(Number(revisionOf(list))).toBeGreaterThanOrEqual(Number(revision));
  // A get after a write, a list not older, a list of just that, a streamed list: all of a revision that is not here yet.
  // Consistent reads, the last two, know that something newer exists: rather none than an old one.
  const queries = [
    `/seen?resourceVersion=${revision}`,
    `?resourceVersion=${revision}`,
    `?resourceVersion=${revision}&resourceVersionMatch=Exact`,
    `?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=${revision}`,
    "/seen",
    "",
  ];
  const answers = await Promise.all(queries.map((query) => second.send("GET", `${CONFIG_MAPS}${query}`)));
  for (const answer of answers) expectTooNew(answer);
  // Only who asks for any state may get the old one.
  expect((await get(second, "seen", "?resourceVersion=0")).json()["data"]).toBeUndefined();
  lagging.release();
  expect((await get(second, "seen", `?resourceVersion=${revision}`)).json()).toMatchObject({ data: { state: "new" } });
});

test("invariant 19: a watch from a revision that the server does not have yet waits, and sends nothing older", async () => {
  await post(first, "w");
  await eventually(async () => expect((await get(second, "w")).status).toBe(200));
  lagging.hold();
  for (const state of ["1", "2", "3"]) await put(first, { metadata: { name: "w" }, data: { state } });
  const seen = revisionOf(await get(first, "w"));
  const watching = watchLines(second, `${CONFIG_MAPS}?watch=1&resourceVersion=${seen}`, 1, 60_000);
  await eventually(() => expect(watchers(second)).resolves.toBeGreaterThan(0));
  lagging.release();
  const next = await put(first, { metadata: { name: "w" }, data: { state: "4" } });
  const lines: WatchLine[] = await watching;
  expect(lines.map(({ type, object }) => [type, object.metadata.resourceVersion])).toEqual([
    ["MODIFIED", revisionOf(next)],
  ]);
});

async function watchers(of: ApiFixture): Promise<number> {
  const text = (await of.send("GET", "/metrics")).text;
  const lines = text.split("\n").filter((line) => /^apiserver_longrunning_requests\{.*verb="WATCH"/.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

test("invariant 23: a page on the server that lags is of the revision of the first page", async () => {
  for (const name of ["a", "b", "c", "d"]) await post(first, name);
  await eventually(async () => expect((await get(second, "d")).status).toBe(200));
  lagging.hold();
  await first.send("DELETE", `${CONFIG_MAPS}/c`);
  await post(first, "e");
  const page = await first.send("GET", `${CONFIG_MAPS}?limit=2`);
  const { continue: token } = page.json()["metadata"] as { continue: string };
  const rest = await second.send("GET", `${CONFIG_MAPS}?limit=10&continue=${token}`);
  expect([...namesOf(page), ...namesOf(rest)]).toEqual(["a", "b", "d", "e"]);
  expect(revisionOf(rest)).toBe(revisionOf(page));
});

test("invariants 16 and 25: writes through the server that lags are decided on what the store has", async () => {
  const made = (await post(first, "x")).json() as { metadata: { uid: string } };
  await post(first, "gone");
  await eventually(async () => expect((await get(second, "gone")).status).toBe(200));
  lagging.hold();
  const changed = (await put(first, { ...made, immutable: true, data: { state: "new" } })).json();
  await first.send("DELETE", `${CONFIG_MAPS}/gone`);
  // The second still holds the first state: an update of that one is a conflict, as is one that only the cache allows.
  expect((await put(second, { ...made, data: { state: "old" } })).status).toBe(409);
  const blind = await put(second, { metadata: { name: "x" }, data: { state: "blind" } });
  expect(blind.status).toBe(422);
  expect(blind.text).toContain("immutable");
  expect((await put(second, { ...made, metadata: { ...made.metadata, name: "gone" } })).status).toBe(404);
  const uid = JSON.stringify({ preconditions: { uid: made.metadata.uid } });
  expect((await second.send("DELETE", `${CONFIG_MAPS}/gone`, { body: uid })).status).toBe(404);
  expect((await post(second, "x")).status).toBe(409);
  expect((await post(second, "gone")).status).toBe(201);
  const patched = await second.send("PATCH", `${CONFIG_MAPS}/x`, {
    body: JSON.stringify({ metadata: { labels: { patched: "yes" } } }),
    headers: { "content-type": "application/merge-patch+json" },
  });
  expect(patched.json()).toMatchObject({ data: { state: "new" }, metadata: { labels: { patched: "yes" } } });
  expect(Number(revisionOf(patched))).toBeGreaterThan(
    Number((changed["metadata"] as { resourceVersion: string }).resourceVersion),
  );
});

test("invariant 27: a server whose watch is dead says that it is not ready, and is again when it has caught up", async () => {
  expect((await second.send("GET", "/readyz")).status).toBe(200);
  lagging.hold();
  // Nothing has happened since: what it holds is proven to be current.
  expect((await second.send("GET", "/readyz")).status).toBe(200);
  await post(first, "news");
  const answer = await second.send("GET", "/readyz");
  expect(answer.status).toBe(500);
  expect(answer.text).toContain("[-]informer-sync");
  expect((await second.send("GET", "/livez")).status).toBe(200);
  expect((await first.send("GET", "/readyz")).status).toBe(200);
  lagging.release();
  await eventually(async () => expect((await second.send("GET", "/readyz")).status).toBe(200));
});

test("an informer that moves from a server to one that lags loses nothing and goes back to nothing", async () => {
  const informer = await servers.informer();
  await post(first, "m", { state: "0" });
  await eventually(() => expect(informer.store.list()).toHaveLength(1));
  const states: string[] = [];
  const seen = (object: { data?: Readonly<Record<string, string>> }) => void states.push(object.data?.["state"] ?? "");
  informer.addHandler({ added: seen, updated: seen });
  await eventually(async () => expect((await get(second, "m")).status).toBe(200));
  lagging.hold();
  for (const state of ["1", "2", "3"]) await put(first, { metadata: { name: "m" }, data: { state } });
  await eventually(() => expect(states.at(-1)).toBe("3"));
  await first.api.stop();
  const { kvs } = await store.range({ key: Buffer.from("/registry/configmaps/default/m") });
  expect(kvs).toHaveLength(1);
  const update = await put(second, { metadata: { name: "m" }, data: { state: "4" } });
  expect(update.status).toBe(200);
  lagging.release();
  await eventually(() => expect(states.at(-1)).toBe("4"));
  expect(states).toEqual([...new Set(states)].sort());
  expect(informer.lists).toBe(1);
});

test("a lease of Events that the store does not know any more is replaced, and no write fails for it", async () => {
  const event = (name: string) => ({
    metadata: { name, namespace: "default" },
    involvedObject: { kind: "Pod", namespace: "default", name: "p" },
    reason: "Test",
  });
  await first.client.create(coreEvents, event("a"));
  const key = (name: string) => ({ key: Buffer.from(`/registry/events/default/${name}`) });
  const { lease } = (await store.range(key("a"))).kvs[0]!;
  await store.leaseRevoke(lease);
  await first.client.create(coreEvents, event("b"));
  const [kv] = (await store.range(key("b"))).kvs;
  expect(kv?.lease).not.toBe(lease);
  expect(kv?.lease).not.toBe(0n);
});
