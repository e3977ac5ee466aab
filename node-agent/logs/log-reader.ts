import type { Clock } from "../../lib/core/clock.ts";
import type { LogFile } from "../runtime/runtime.ts";
import { parseLogLine } from "./log-line.ts";
import { tailOffset } from "./log-tail.ts";

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Undefined: all. */
  readonly tailLines?: number;
  readonly limitBytes?: number;
  /** Lines before this moment (RFC 3339) are left out. */
  readonly since?: string;
  readonly stream?: "stdout" | "stderr";
}

export interface LogTarget {
  open(): Promise<LogFile | undefined>;
  /** False once the container has ended: then the log's end is the end. */
  running(): Promise<boolean>;
}

const CHUNK_BYTES = 64 * 1024;
const POLL_MS = 200;
/** Longer lines than the runtime writes (16 kB and its head) end here: a file is data, not a promise. */
const LINE_LIMIT_BYTES = 256 * 1024;

/** A container's log as people asked for it. Ends at the log's end, or when `signal` is aborted. */
export async function* readLog(
  components: { clock: Clock },
  target: LogTarget,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  const lines = new LineFilter(options);
  for await (const chunk of readRaw(components, target, options, signal)) {
    const text = lines.push(chunk);
    if (text.length === 0) continue;
    const bytes = Buffer.from(text);
    yield bytes.length <= left ? bytes : bytes.subarray(0, left);
    left -= bytes.length;
    if (left <= 0) return;
  }
}

/** Bytes of the file, then of those that take its place, waiting for more while it is followed. */
async function* readRaw(
  components: { clock: Clock },
  target: LogTarget,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let log = await target.open();
  let offset = log === undefined ? 0 : await startOffset(log, options);
  try {
    while (!signal.aborted) {
      // Asked before reading: what was written until it ended is then surely read.
      const running = options.follow && (await target.running());
      const chunk = log === undefined ? new Uint8Array(0) : await log.read(offset, CHUNK_BYTES);
      offset += chunk.length;
      if (chunk.length > 0) {
        yield chunk;
        continue;
      }
      if (log === undefined || (await log.replaced())) {
        const next: LogFile | undefined = await target.open();
        if (next !== undefined) {
          await log?.close();
          log = next;
          offset = 0;
          continue;
        }
      }
      if (!running) return;
      await components.clock.sleep(POLL_MS, signal).catch(() => {});
    }
  } finally {
    await log?.close();
  }
}

async function startOffset(log: LogFile, options: LogOptions): Promise<number> {
  if (options.tailLines === undefined) return 0;
  return await tailOffset(log, await log.sizeBytes(), options.tailLines);
}

/** Cuts bytes into lines and drops what was not asked for. */
class LineFilter {
  readonly #options: LogOptions;
  readonly #sinceMs: number | undefined;
  #rest: Buffer = Buffer.alloc(0);

  constructor(options: LogOptions) {
    this.#options = options;
    this.#sinceMs = options.since === undefined ? undefined : globalThis.Date.parse(options.since);
  }

  push(chunk: Uint8Array): string {
    const buffer = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    let out = "";
    let from = 0;
    for (let end = buffer.indexOf(0x0a); end >= 0; end = buffer.indexOf(0x0a, from)) {
      out += this.#line(buffer.toString("utf8", from, end));
      from = end + 1;
    }
    const rest = buffer.subarray(from);
    this.#rest = rest.length > LINE_LIMIT_BYTES ? Buffer.alloc(0) : Buffer.from(rest);
    return out;
  }

  #line(raw: string): string {
    const line = parseLogLine(raw);
    if (line === undefined) return "";
    if (this.#options.stream !== undefined && line.stream !== this.#options.stream) return "";
    if (this.#sinceMs !== undefined && globalThis.Date.parse(line.time) < this.#sinceMs) return "";
    const head = this.#options.timestamps ? `${line.time} ` : "";
    return `${head}${line.text}${line.partial ? "" : "\n"}`;
  }
}
