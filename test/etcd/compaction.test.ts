import { expect, test } from "vitest";
import { EtcdCluster } from "../kit/etcd-cluster.ts";
import { eventually } from "../kit/eventually.ts";
import { etcdStore, post, startTwo } from "./two-servers.ts";

const KEY = Buffer.from("compact_rev_key");

test("two api-servers on one etcd: one compacts at each turn, watches and readiness are not touched", async () => {
  await using cluster = await EtcdCluster.start(1);
  const stores = [etcdStore(cluster.endpoints), etcdStore(cluster.endpoints)] as const;
  await using servers = await startTwo(stores, { compaction: { intervalMs: 400 } });
  const informer = await servers.informer([servers.second]);
  const watch = stores[0].watch({ key: KEY });
  const turns: { version: number; value: number; revision: number }[] = [];
  const following = (async () => {
    for await (const batch of watch) {
      if (batch.type !== "events") continue;
      for (const { kv } of batch.events) {
        const value = Number(Buffer.from(kv.value).toString());
        turns.push({ version: kv.version, value, revision: kv.modRevision });
      }
    }
  })();
  let number = 0;
  await eventually(async () => {
    expect((await post(servers.first, `c${number++}`)).status).toBe(201);
    expect(turns.length).toBeGreaterThanOrEqual(6);
  });
  watch.cancel();
  await following;
  // Each turn goes to where the store stood at the turn before, so that one interval of history is always left.
  for (const [index, turn] of turns.entries()) {
    const before = turns[index - 1];
    if (before === undefined || turn.value === 0) continue;
    expect(turn.version).toBe(before.version + 1);
    expect(turn.value).toBeLessThanOrEqual(before.revision);
  }
  const last = turns.at(-1)!;
  expect(last.value).toBeGreaterThan(1);
  await eventually(async () => {
    await expect(stores[0].range({ key: KEY, revision: last.value - 1 })).rejects.toMatchObject({
      code: "OUT_OF_RANGE",
    });
  });
  await eventually(() => expect(informer.store.list()).toHaveLength(number));
  expect(informer.lists).toBe(1);
  for (const of of [servers.first, servers.second]) expect((await of.send("GET", "/readyz")).status).toBe(200);
});
