import { readFileSync } from "node:fs";
import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import { findProcesses, type ProcessIdentity, signalProcess } from "../../../lib/process/process-identity.ts";

const SWEEP_EVERY_MS = 15_000;
/** Strays come from a maker that died or gave up: that is when they are looked for. */
const LOOK_FOR_MS = 120_000;

/**
 * containerd 1.6 forgets a sandbox whose maker goes away at the wrong moment, and leaves its shim with what it holds
 * ("failed to create shim task: context canceled"). Whatever shim of this containerd is of no sandbox that the runtime
 * knows, twice and a while apart, with no sandbox being made, is ended.
 */
export class StrayShims {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #socketPath: string;
  #suspects = new Set<string>();
  #lastMs: number;
  #untilMs: number;

  constructor(components: { clock: Clock; log: Log }, options: { socketPath: string }) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#socketPath = options.socketPath;
    this.#lastMs = components.clock.monotonicMs();
    this.#untilMs = this.#lastMs + LOOK_FOR_MS;
  }

  /** A sandbox was not made: something may be left of it. */
  expect(): void {
    this.#untilMs = this.#clock.monotonicMs() + LOOK_FOR_MS;
  }

  /** `known`: ids of all sandboxes in an answer of the runtime; `isMaking`: one is being made now, and not listed yet. */
  sweep(known: ReadonlySet<string>, isMaking: boolean): void {
    const nowMs = this.#clock.monotonicMs();
    if (isMaking) this.#suspects.clear();
    if (isMaking || nowMs - this.#lastMs < SWEEP_EVERY_MS || nowMs > this.#untilMs) return;
    this.#lastMs = nowMs;
    const before = this.#suspects;
    this.#suspects = new Set();
    for (const shim of this.#shims()) {
      const id = sandboxIdOf(shim);
      if (id === undefined || known.has(id)) continue;
      if (before.has(id)) this.#end(shim, id);
      else this.#suspects.add(id);
    }
  }

  #shims(): ProcessIdentity[] {
    return findProcesses(
      (argv) => (argv[0] ?? "").includes("containerd-shim") && argv[argv.indexOf("-address") + 1] === this.#socketPath,
    );
  }

  #end(shim: ProcessIdentity, id: string): void {
    this.#log.warn("the shim of a forgotten sandbox is ended", { sandbox: id, pid: shim.pid });
    for (const child of childrenOf(shim)) signalProcess(child, "SIGKILL");
    signalProcess(shim, "SIGKILL");
  }
}

function sandboxIdOf(shim: ProcessIdentity): string | undefined {
  const argv = readOr(`/proc/${shim.pid}/cmdline`).split("\0");
  const at = argv.indexOf("-id");
  return at < 0 ? undefined : argv[at + 1];
}

function childrenOf(shim: ProcessIdentity): ProcessIdentity[] {
  const parent = String(shim.pid);
  return findProcesses(() => true).filter(({ pid }) => {
    const stat = readOr(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === parent;
  });
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
