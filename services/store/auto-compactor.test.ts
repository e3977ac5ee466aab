import { expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import { AutoCompactor } from "./auto-compactor.ts";

test("auto-compaction: periodic goes to where the store stood a period ago, revision keeps the last so many", async () => {
  const clock = new VirtualClock();
  const compactions: number[] = [];
  const store = { revision: 100, compact: async (revision: number) => void compactions.push(revision) };
  const components = { store, clock, log: silentLog };
  const periodic = new AutoCompactor(components, { mode: "periodic", retentionMs: 300_000 });
  periodic.start();
  store.revision = 150;
  await clock.advance(300_000);
  store.revision = 180;
  await clock.advance(300_000);
  expect(compactions).toEqual([100, 150]);
  periodic.stop();
  const byRevision = new AutoCompactor(components, { mode: "revision", retentionRevisions: 30 });
  byRevision.start();
  await clock.advance(300_000);
  expect(compactions).toEqual([100, 150, 150]);
  byRevision.stop();
  expect(clock.pendingTimers).toBe(0);
});
