import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { type Log, silentLog } from "../../lib/core/log.ts";
import { Authority } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { EtcdStore, type EtcdStoreOptions } from "../../lib/store/etcd-store.ts";
import { EtcdCluster } from "../kit/etcd-cluster.ts";
import { eventually } from "../kit/eventually.ts";

const KEY = Buffer.from("k");

let cluster: EtcdCluster;
let authority: Authority;
let other: Authority;
let client: KeyPair;
let stores: EtcdStore[] = [];

beforeAll(async () => {
  authority = await Authority.create("store", realClock, realRandom);
  other = await Authority.create("other", realClock, realRandom);
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  // An etcd's own gateway is a client of its server, so its certificate is for both.
  const server = await authority.issue({
    ...names,
    commonName: "store",
    usages: ["server", "client"],
    validityDays: 1,
  });
  client = await authority.issue({ commonName: "api-server", usages: ["client"], validityDays: 1 });
  cluster = await EtcdCluster.start(3, { tls: { caPem: authority.certPem, server, client } });
});

afterAll(async () => {
  await cluster.stop();
});

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  stores = [];
});

function open(tls: EtcdStoreOptions["tls"], log: Log = silentLog): EtcdStore {
  const endpoints = cluster.endpoints.map((address) => `https://${address}`);
  const store = new EtcdStore({ clock: realClock, log }, { endpoints, ...(tls === undefined ? {} : { tls }) });
  stores.push(store);
  return store;
}

test("with a client certificate: writes, watches, and the next member when one is killed", async () => {
  const store = open({ caPem: authority.certPem, ...client });
  const watch = store.watch({ key: KEY })[Symbol.asyncIterator]();
  expect((await watch.next()).value).toMatchObject({ type: "created" });
  const [member] = cluster.members;
  await member!.kill();
  const { revision } = await store.range({ key: KEY });
  const put = { type: "put", key: KEY, value: Buffer.from("v") } as const;
  expect((await store.txn({ compare: [], success: [put] })).revision).toBe(revision + 1);
  expect((await watch.next()).value).toMatchObject({ type: "events", revision: revision + 1 });
  member!.start();
  await cluster.healthy();
});

test("a certificate that was renewed is shown without a restart, a half-written one is not", async () => {
  const expired = await authority.issue({ commonName: "api-server", usages: ["client"], validityDays: -1 });
  let pair: KeyPair = expired;
  const options = {
    endpoints: cluster.endpoints,
    get tls() {
      return { caPem: authority.certPem, ...pair };
    },
  };
  const store = new EtcdStore({ clock: realClock, log: silentLog }, options);
  stores.push(store);
  await expect(store.range({ key: KEY })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  pair = { ...expired, keyPem: "garbage" };
  await expect(store.range({ key: KEY })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  pair = client;
  await eventually(() => store.range({ key: KEY }));
});

const REFUSED: readonly [string, () => Promise<EtcdStoreOptions["tls"]>, RegExp][] = [
  ["plain text", async () => undefined, /./],
  ["no client certificate", async () => ({ caPem: authority.certPem }), /certificate required|bad certificate/],
  [
    "a client certificate of another authority",
    async () => ({
      caPem: authority.certPem,
      ...(await other.issue({ commonName: "x", usages: ["client"], validityDays: 1 })),
    }),
    /unknown ca|bad certificate/i,
  ],
  [
    "a client certificate that has expired",
    async () => ({
      caPem: authority.certPem,
      ...(await authority.issue({ commonName: "x", usages: ["client"], validityDays: -1 })),
    }),
    /expired|bad certificate/,
  ],
  ["a server of another authority", async () => ({ caPem: other.certPem, ...client }), /certificate/],
  ["an authority that is no PEM", async () => ({ caPem: "garbage", ...client }), /certificate/],
  [
    "a server of another name",
    async () => ({ caPem: authority.certPem, ...client, serverName: "elsewhere" }),
    /does not match certificate/,
  ],
];

test.each(REFUSED)("%s: every call is refused, and the log says why", async (_, tls, why) => {
  const reasons: string[] = [];
  const log = { ...silentLog, warn: (_message: string, keys?: object) => void reasons.push(JSON.stringify(keys)) };
  const store = open(await tls(), log);
  await expect(store.range({ key: KEY })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringMatching(why),
  });
  await expect(store.txn({ compare: [], success: [{ type: "put", key: KEY, value: KEY }] })).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
  expect(reasons).toHaveLength(3);
  for (const reason of reasons) expect(reason).toMatch(why);
  for (const reason of reasons) expect(reason).not.toContain("PRIVATE KEY");
});

test.each(["certPem", "keyPem"] as const)("a %s that is no PEM is refused when the store is opened", (part) => {
  const tls = { caPem: authority.certPem, ...client, [part]: "garbage" };
  expect(() => open(tls)).toThrow("the client certificate and key for the store cannot be used");
});
