import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { Startable } from "../core/startable.ts";
import { asStatusError } from "../core/status-error.ts";
import type { BackOffOptions } from "./back-off.ts";
import { type QueueMetrics, WorkQueue } from "./work-queue.ts";

export interface ControllerComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: QueueMetrics;
}

export interface ControllerOptions {
  /** Names queue, log lines and metrics. */
  readonly name: string;
  /** Keys worked on at the same time. */
  readonly workers?: number;
  readonly backOff?: BackOffOptions;
  /** Resolves when the caches that `reconcile` reads are complete; no key is worked on before. */
  readonly whenSynced?: () => Promise<unknown>;
}

/** Asks for another look after this long, though nothing changed. */
export interface Later {
  readonly afterMs: number;
}

/** Moves what `key` names one step towards what is wanted, from any state; may be killed at any line. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<Later | undefined>;

/** The object changed or went meanwhile: the next look sees it as it is. */
const OVERTAKEN = new Set([404, 409]);

/** Takes keys from a queue and reconciles them; a key that fails comes back after a growing delay. */
export class Controller implements Startable {
  readonly queue: WorkQueue;
  private readonly options: ControllerOptions;
  private readonly reconcile: Reconcile;
  private readonly log: Log;
  private readonly stopper = new AbortController();
  private workers: Promise<unknown> | undefined;

  constructor(components: ControllerComponents, options: ControllerOptions, reconcile: Reconcile) {
    this.options = options;
    this.reconcile = reconcile;
    this.log = components.log.child({ controller: options.name });
    this.queue = new WorkQueue(components, {
      name: options.name,
      ...(options.backOff === undefined ? {} : { backOff: options.backOff }),
      ...(components.metrics === undefined ? {} : { metrics: components.metrics }),
    });
  }

  async start(): Promise<void> {
    this.workers ??= this.runWorkers();
  }

  /** Resolves when the last reconcile has ended. */
  async stop(): Promise<void> {
    this.stopper.abort(new Error(`controller ${this.options.name} was stopped`));
    this.queue.close();
    await this.workers;
  }

  private async runWorkers(): Promise<void> {
    try {
      await this.options.whenSynced?.();
    } catch {
      return;
    }
    const workers = Array.from({ length: this.options.workers ?? 1 }, () => this.work());
    await Promise.all(workers);
  }

  private async work(): Promise<void> {
    for (let key = await this.queue.take(); key !== undefined; key = await this.queue.take()) {
      await this.workOn(key);
      this.queue.done(key);
    }
  }

  private async workOn(key: string): Promise<void> {
    const { signal } = this.stopper;
    try {
      const later = await this.reconcile(key, signal);
      this.queue.forget(key);
      if (later !== undefined) this.queue.addAfter(key, later.afterMs);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asStatusError(thrown);
      const keys = { key, error: error.message, ...(error.cause === undefined ? {} : { cause: String(error.cause) }) };
      if (OVERTAKEN.has(error.code)) this.log.debug("a reconcile was overtaken, trying again", keys);
      else this.log.warn("a reconcile failed, trying again later", keys);
      this.queue.retry(key);
    }
  }
}
