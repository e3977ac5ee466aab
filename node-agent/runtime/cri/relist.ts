import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Container, PodSandbox } from "../../../lib/gen/runtime/v1/api.ts";
import { LABELS } from "../runtime.ts";

export interface RuntimeLists {
  readonly sandboxes: readonly PodSandbox[];
  readonly containers: readonly Container[];
}

const BUSY_MS = 1_000;
/** With nothing alive nothing changes by itself. */
const IDLE_MS = 5_000;

/** Finds out what changed by listing again and again: the runtime has no events that can be relied on. */
export class Relist {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #list: () => Promise<RuntimeLists>;
  readonly #listeners = new Set<(podUid: string) => void>();
  readonly #stopped = new AbortController();
  #last = new Map<string, string>();
  #failing = false;
  #idle: AbortController | undefined;
  #running: Promise<void> | undefined;

  constructor(components: { clock: Clock; log: Log }, list: () => Promise<RuntimeLists>) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#list = list;
  }

  watch(listener: (podUid: string) => void): () => void {
    this.#listeners.add(listener);
    this.#running ??= this.#run();
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.notice();
    await this.#running;
  }

  /** Something was just made: it is looked after from now on. */
  notice(): void {
    this.#idle?.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#once();
      if (this.#last.size > 0) await this.#clock.sleep(BUSY_MS, signal).catch(() => {});
      else await this.#sleepIdle();
    }
  }

  async #sleepIdle(): Promise<void> {
    this.#idle = new AbortController();
    await this.#clock.sleep(IDLE_MS, this.#idle.signal).catch(() => {});
    this.#idle = undefined;
  }

  async #once(): Promise<void> {
    try {
      const now = fingerprints(await this.#list());
      const before = this.#last;
      this.#last = now;
      for (const uid of new Set([...before.keys(), ...now.keys()])) {
        if (before.get(uid) === now.get(uid)) continue;
        for (const listener of this.#listeners) listener(uid);
      }
      if (this.#failing) this.#log.info("the runtime answers again");
      this.#failing = false;
    } catch (error) {
      // An answer that does not come proves nothing: what was known stays known.
      if (!this.#failing && !this.#stopped.signal.aborted) this.#log.warn("the runtime cannot be listed", { error });
      this.#failing = true;
    }
  }
}

function fingerprints({ sandboxes, containers }: RuntimeLists): Map<string, string> {
  const parts = new Map<string, string[]>();
  for (const { id, state, labels } of [...sandboxes, ...containers]) {
    const uid = labels[LABELS.podUid];
    if (uid === undefined) continue;
    parts.set(uid, [...(parts.get(uid) ?? []), `${id} ${state}`]);
  }
  return new Map([...parts].map(([uid, lines]) => [uid, lines.sort().join("\n")]));
}
