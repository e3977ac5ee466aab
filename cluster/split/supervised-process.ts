import { BackOff } from "../../lib/controller/back-off.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";

/** How a process is started. */
export interface ProcessSpec {
  /** Unique in the cluster: `api-server-1`. Its log is called so. */
  readonly name: string;
  readonly argv: readonly string[];
  /** Descriptor of ours that it gets as its number 3. */
  readonly inheritedFd?: number;
}

/** A process that was started. */
export interface StartedProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Resolves to what it ended of, in words, however it ends. */
  readonly ended: Promise<string>;
  /** Does nothing when it has ended. */
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

export type StartProcess = (spec: ProcessSpec) => StartedProcess;

export interface SupervisedProcessComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly start: StartProcess;
}

const BACK_OFF = { baseMs: 250, maxMs: 10_000, jitter: 0.2 };
/** A process that ran so long starts again without a growing delay. */
const RAN_WELL_MS = 10_000;
/** How long a process may take after SIGTERM. */
const STOP_LIMIT_MS = 3_500;

/** Keeps one process running: whenever it ends it is started again, after a delay that grows while it ends soon. */
export class SupervisedProcess {
  readonly #components: SupervisedProcessComponents;
  readonly #spec: ProcessSpec;
  readonly #backOff: BackOff;
  readonly #stopping = new AbortController();
  #current: StartedProcess | undefined;
  #running: Promise<void> | undefined;

  constructor(components: SupervisedProcessComponents, spec: ProcessSpec) {
    this.#components = { ...components, log: components.log.child({ process: spec.name }) };
    this.#spec = spec;
    this.#backOff = new BackOff(components.random, BACK_OFF);
  }

  get name(): string {
    return this.#spec.name;
  }

  /** Undefined while it waits to be started again. */
  get pid(): number | undefined {
    return this.#current?.pid;
  }

  /** How often in a row it ended soon after its start. */
  get failures(): number {
    return this.#backOff.failuresOf("");
  }

  start(): void {
    this.#running ??= this.#keepRunning();
  }

  /** SIGTERM, then SIGKILL after a limit; resolves when the process is gone. */
  async stop(): Promise<void> {
    const { clock, log } = this.#components;
    this.#stopping.abort();
    const current = this.#current;
    current?.signal("SIGTERM");
    const limit = clock.after(STOP_LIMIT_MS, () => {
      log.warn("process does not end when told to; it is killed");
      current?.signal("SIGKILL");
    });
    await this.#running;
    limit.cancel();
  }

  async #keepRunning(): Promise<void> {
    const { clock, log, start } = this.#components;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      this.#current = start(this.#spec);
      log.info("process started", { pid: this.#current.pid });
      const reason = await this.#current.ended;
      this.#current = undefined;
      if (signal.aborted) return;
      if (clock.monotonicMs() - startedMs >= RAN_WELL_MS) this.#backOff.forget("");
      const delayMs = this.#backOff.nextMs("");
      log.warn("process ended; it is started again", { reason, delayMs: Math.round(delayMs) });
      await clock.sleep(delayMs, signal).catch(() => {});
    }
  }
}
