import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { openStore } from "./open-store.ts";

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

for (const where of ["thread", "here"]) {
  test(`smoke ${where}`, async () => {
    const dir = mkdtempSync(join(tmpdir(), "store-"));
    dirs.push(dir);
    const store = await openStore({
      ...(where === "thread" ? { dataDir: dir } : {}),
      clock: realClock,
      random: realRandom,
      log: silentLog,
      onFatal: (reason) => {
        throw new Error(reason);
      },
    });
    const watch = store.watch({ key: bytes("a"), rangeEnd: bytes("b"), prevKv: true })[Symbol.asyncIterator]();
    expect(await watch.next()).toMatchObject({ value: { type: "created", revision: 1 } });
    const next = watch.next();
    const put = await store.txn({
      compare: [{ key: bytes("a1"), target: "mod", result: "equal", value: 0 }],
      success: [{ type: "put", key: bytes("a1"), value: bytes("v") }],
    });
    expect(put).toEqual({ revision: 2, succeeded: true, responses: [{ type: "put" }] });
    expect(await next).toMatchObject({ value: { type: "events", revision: 2, events: [{ type: "put" }] } });
    const got = await store.range({ key: bytes("a"), rangeEnd: bytes("b") });
    expect(got.revision).toBe(2);
    expect(Buffer.from(got.kvs[0]!.value).toString()).toBe("v");
    const puts = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        store.txn({ compare: [], success: [{ type: "put", key: bytes(`a${i}`), value: bytes(`${i}`) }] }),
      ),
    );
    expect(puts.map((p) => p.revision)).toEqual(Array.from({ length: 100 }, (_, i) => i + 3));
    expect((await store.range({ key: bytes("a1"), revision: 2 })).kvs[0]).toMatchObject({ modRevision: 2 });
    await store.compact(50, true);
    await expect(store.range({ key: bytes("a1"), revision: 49 })).rejects.toMatchObject({ code: "OUT_OF_RANGE" });
    await store.close();
  });
}
