import type { Clock } from "../../lib/core/clock.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { readTail } from "../logs/log-tail.ts";
import type { Prober } from "../probes/prober.ts";
import { ANNOTATIONS, type ContainerState, type PodState, type Runtime } from "../runtime/runtime.ts";
import { podUid } from "./pod-facts.ts";
import type { PodFiles } from "./pod-files.ts";
import type { PodMemory } from "./pod-memory.ts";
import { podStatusOf } from "./pod-status.ts";
import type { StatusWriter } from "./status-writer.ts";

const LOG_MESSAGE_BYTES = 2_048;
const LOG_MESSAGE_LINES = 80;

/** Reads what is, and tells the API. */
export class PodObserver {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #files: PodFiles;
  readonly #memory: PodMemory;
  readonly #statuses: StatusWriter;
  readonly #probes: Prober;
  readonly #hostIp: string;

  constructor(
    components: {
      runtime: Runtime;
      clock: Clock;
      files: PodFiles;
      memory: PodMemory;
      statuses: StatusWriter;
      probes: Prober;
    },
    options: { hostIp: string },
  ) {
    this.#runtime = components.runtime;
    this.#clock = components.clock;
    this.#files = components.files;
    this.#memory = components.memory;
    this.#statuses = components.statuses;
    this.#probes = components.probes;
    this.#hostIp = options.hostIp;
  }

  /** The pod's state with the messages that ended containers left behind. */
  async read(uid: string): Promise<PodState> {
    const state = await this.#runtime.readPod(uid);
    this.#memory.retain(uid, new Set(state.containers.map((container) => container.id)));
    const containers = await Promise.all(state.containers.map((container) => this.#withMessage(uid, container)));
    return { ...state, containers };
  }

  /** `ended`: nothing runs and nothing will be started. */
  publish(
    pod: Pod,
    state: PodState,
    options: { ended?: boolean; verdict?: { reason: string; message: string } } = {},
  ): void {
    const uid = podUid(pod);
    const status = podStatusOf(this.#statuses.latest(pod), state, {
      runtimeName: this.#runtime.name,
      nowMs: this.#clock.nowMs(),
      hostIp: this.#hostIp,
      ended: options.ended === true,
      waiting: (name) => this.#memory.waiting(uid, name),
      ready: (container) => this.#probes.ready(container),
      started: (container) => this.#probes.started(container),
      ...(options.verdict === undefined ? {} : { verdict: options.verdict }),
    });
    this.#statuses.write(pod, status);
  }

  async #withMessage(uid: string, container: ContainerState): Promise<ContainerState> {
    if (container.state !== "exited") return container;
    let message = this.#memory.message(container.id);
    if (message === undefined) {
      message = (await this.#files.terminationMessage(container)) || (await this.#logMessage(container));
      this.#memory.setMessage(uid, container.id, message);
    }
    return message === "" ? container : { ...container, message };
  }

  async #logMessage(container: ContainerState): Promise<string> {
    const fallsBack = container.annotations[ANNOTATIONS.terminationMessagePolicy] === "FallbackToLogsOnError";
    if (!fallsBack || container.exitCode === 0) return "";
    const log = await this.#runtime.openLog(container);
    if (log === undefined) return "";
    try {
      return await readTail(log, { maxLines: LOG_MESSAGE_LINES, maxBytes: LOG_MESSAGE_BYTES });
    } finally {
      await log.close();
    }
  }
}
