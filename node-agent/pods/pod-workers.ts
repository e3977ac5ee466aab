import type { Clock, Timer } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";

/** One step of one pod. */
export interface StepResult {
  /** Look again after this long, if nothing wakes the pod before. */
  readonly againMs?: number;
  /** Nothing is left of the pod: forget it. */
  readonly done?: boolean;
}

export type Step = (podUid: string, signal: AbortSignal) => Promise<StepResult>;

interface Worker {
  running: Promise<void> | undefined;
  dirty: boolean;
  timer: Timer | undefined;
  failures: number;
  abort: AbortController;
}

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;

/** Runs the steps of each pod one after the other, those of different pods beside each other. */
export class PodWorkers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #step: Step;
  readonly #workers = new Map<string, Worker>();
  #stopped = false;

  constructor(components: { clock: Clock; log: Log }, step: Step) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#step = step;
  }

  /** Something of the pod changed: take a step soon, one more if it is taking one now. */
  wake(podUid: string): void {
    if (this.#stopped || podUid === "") return;
    let worker = this.#workers.get(podUid);
    if (worker === undefined) {
      worker = { running: undefined, dirty: false, timer: undefined, failures: 0, abort: new AbortController() };
      this.#workers.set(podUid, worker);
    }
    worker.dirty = true;
    worker.timer?.cancel();
    worker.timer = undefined;
    worker.running ??= this.#run(podUid, worker);
  }

  /** What the step is waiting for (a pull, the end of a grace period) is no longer what is wanted. */
  interrupt(podUid: string): void {
    const worker = this.#workers.get(podUid);
    worker?.abort.abort(new Error("the pod has changed"));
    this.wake(podUid);
  }

  uids(): readonly string[] {
    return [...this.#workers.keys()];
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const worker of this.#workers.values()) {
      worker.timer?.cancel();
      worker.abort.abort(new Error("the agent stops"));
    }
    await Promise.all([...this.#workers.values()].map((worker) => worker.running));
  }

  async #run(podUid: string, worker: Worker): Promise<void> {
    while (worker.dirty && !this.#stopped) {
      worker.dirty = false;
      worker.abort = new AbortController();
      const result = await this.#stepSafely(podUid, worker);
      if (this.#stopped) break;
      if (result.done === true && !worker.dirty) {
        this.#workers.delete(podUid);
        break;
      }
      if (result.againMs !== undefined && !worker.dirty)
        worker.timer = this.#clock.after(result.againMs, () => this.wake(podUid));
    }
    worker.running = undefined;
  }

  async #stepSafely(podUid: string, worker: Worker): Promise<StepResult> {
    const { signal } = worker.abort;
    try {
      const result = await this.#step(podUid, signal);
      worker.failures = 0;
      return result;
    } catch (thrown) {
      if (signal.aborted) return { againMs: 0 };
      const againMs = Math.min(RETRY_FIRST_MS * 2 ** worker.failures, RETRY_MAX_MS);
      worker.failures++;
      this.#log.warn("a step of a pod failed", { podUid, error: thrown, againMs });
      return { againMs };
    }
  }
}
