import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { checkAfterCrash } from "./crash-check.ts";
import type { Promised } from "./crash-child.ts";
import { type DiskOp, readTrace, straceFlags } from "./disk-trace.ts";

const CHILD = path.join(import.meta.dirname, "power-cut-child.ts");
const IMAGES = 40;
const SECTOR_BYTES = 512;

/** One file: what the disk holds for sure, and what was written since the last sync. */
interface FileState {
  durable: Buffer;
  unsynced: DiskOp[];
}

function apply(content: Buffer, op: DiskOp, data?: Buffer): Buffer {
  if (op.do === "truncate") return Buffer.concat([content], op.size);
  if (op.do !== "write") return content;
  const bytes = data ?? op.data;
  const grown = Buffer.concat([content], Math.max(content.length, op.offset + bytes.length));
  bytes.copy(grown, op.offset);
  return grown;
}

/** What may be on the disk after the power went: of what was not synced each write is there, lost, or torn. */
function crashImage(file: FileState, random: SeededRandom): Buffer {
  let content = file.durable;
  for (const op of file.unsynced) {
    const fate = random.float();
    if (fate < 0.4) content = apply(content, op);
    else if (fate < 0.7 && op.do === "write") {
      const sectors = Math.floor(random.float() * Math.ceil(op.data.length / SECTOR_BYTES));
      content = apply(content, op, op.data.subarray(0, sectors * SECTOR_BYTES));
    }
  }
  return content;
}

describe.skipIf(skipping("power cut", whyNotPrograms(["strace"])))("F4: the power goes at any moment", () => {
  test(`invariants 1, 3 and 4 hold on ${IMAGES} images with lost and torn writes`, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), "keelson-power-"));
    try {
      const traceDir = path.join(dir, "trace");
      mkdirSync(traceDir);
      const argv = [...straceFlags(path.join(traceDir, "t")), process.execPath, CHILD, path.join(dir, "data")];
      const run = spawnSync("strace", argv, { encoding: "utf8", maxBuffer: 2 ** 26 });
      expect(run.status, run.stderr).toBe(0);
      const { ops, lines } = readTrace(traceDir);
      const acks = lines.map(({ at, text }) => ({ at, promised: JSON.parse(text) as Promised }));
      expect(acks.length).toBe(240);
      expect(
        ops.some((op) => op.do === "sync" && op.file === "store.db"),
        "a checkpoint is among it",
      ).toBe(true);
      const random = new SeededRandom(20_261_121);
      const first = ops.findIndex((op) => op.at > acks[0]!.at);
      const last = ops.findLastIndex((op) => op.do === "sync" && op.file === "store.db-wal");
      const cuts = Array.from({ length: IMAGES }, () => first + Math.floor(random.float() * (last - first)));
      const files = new Map<string, FileState>();
      let next = 0;
      for (const cut of cuts.sort((left, right) => left - right)) {
        for (; next < cut; next++) step(files, ops[next]!);
        const imageDir = path.join(dir, "image");
        mkdirSync(imageDir);
        for (const [name, state] of files) writeFileSync(path.join(imageDir, name), crashImage(state, random));
        const promised = acks.filter(({ at }) => at <= ops[cut]!.at).map((ack) => ack.promised);
        await checkAfterCrash(imageDir, promised);
        rmSync(imageDir, { recursive: true });
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

function step(files: Map<string, FileState>, op: DiskOp): void {
  if (op.do === "unlink") {
    files.delete(op.file);
    return;
  }
  let file = files.get(op.file);
  if (file === undefined) {
    file = { durable: Buffer.alloc(0), unsynced: [] };
    files.set(op.file, file);
  }
  if (op.do === "sync") {
    for (const earlier of file.unsynced) file.durable = apply(file.durable, earlier);
    file.unsynced = [];
  } else {
    file.unsynced.push(op);
  }
}
