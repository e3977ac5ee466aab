import { expect, test } from "vitest";
import { silentLog } from "../core/log.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { EtcdStore, isProgressTrusted } from "./etcd-store.ts";

test("progress is trusted from the versions that fixed it", () => {
  const trusted = ["3.4.31", "3.5.13", "3.6.0", "3.6.14", "3.7.1", "3.10.0", "4.0.0"];
  const not = ["3.4.23", "3.4.30", "3.5.0", "3.5.12", "3.3.99", "2.3.8"];
  expect(trusted.filter(isProgressTrusted)).toEqual(trusted);
  expect(not.filter(isProgressTrusted)).toEqual([]);
});

test("what cannot be reached is UNAVAILABLE, at every address, and a closed store stays closed", async () => {
  // Port 1 is reserved and has no listener.
  const endpoints = ["127.0.0.1:1", "http://127.0.0.1:1", "unix:/nowhere/store.sock"];
  const store = new EtcdStore({ clock: new VirtualClock(), log: silentLog }, { endpoints });
  const key = Uint8Array.of(1);
  await expect(store.range({ key })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(store.txn({ compare: [], success: [] })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(store.leaseKeepAlive(1n)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  const watch = store.watch({ key })[Symbol.asyncIterator]();
  const next = watch.next();
  await store.close();
  expect((await next).done).toBe(true);
  await expect(store.range({ key })).rejects.toMatchObject({ code: "UNAVAILABLE" });
});
