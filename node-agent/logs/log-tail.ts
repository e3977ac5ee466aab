import type { LogFile } from "../runtime/runtime.ts";
import { parseLogLine } from "./log-line.ts";

const CHUNK_BYTES = 64 * 1024;

/** The last lines of a log as plain text, bounded both ways. */
export async function readTail(log: LogFile, limits: { maxLines: number; maxBytes: number }): Promise<string> {
  const sizeBytes = await log.sizeBytes();
  const from = await tailOffset(log, sizeBytes, limits.maxLines);
  const text = Buffer.from(await log.read(from, sizeBytes - from)).toString("utf8");
  const plain = text
    .split("\n")
    .flatMap((line) => {
      const parsed = parseLogLine(line);
      return parsed === undefined ? [] : [parsed.text + (parsed.partial ? "" : "\n")];
    })
    .join("");
  return plain.slice(-limits.maxBytes);
}

/** Where the last `lines` lines begin, found from the end without reading the rest. */
export async function tailOffset(log: LogFile, sizeBytes: number, lines: number): Promise<number> {
  if (lines <= 0) return sizeBytes;
  let left = lines;
  let end = sizeBytes;
  let last = true;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = await log.read(start, end - start);
    for (let i = chunk.length - 1; i >= 0; i--) {
      if (chunk[i] !== 0x0a) continue;
      // The line end of the file's last line does not begin another line.
      if (last) last = false;
      else if (--left === 0) return start + i + 1;
    }
    last = false;
    end = start;
  }
  return 0;
}
