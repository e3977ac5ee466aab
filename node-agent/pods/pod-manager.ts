import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Changes } from "../../lib/client/changes.ts";
import type { EventRecorder } from "../../lib/controller/event-recorder.ts";
import type { Clock, Timer } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { PodEvents } from "../events/pod-events.ts";
import type { ProbeRunner } from "../probes/probe-runner.ts";
import { Prober } from "../probes/prober.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { ApiConfigSource } from "./config-source.ts";
import { ContainerStarter, type StarterOptions } from "./container-starter.ts";
import { ContainerStopper } from "./container-stopper.ts";
import { ImagePuller } from "./image-puller.ts";
import { PodEnder } from "./pod-ender.ts";
import { isBeingDeleted, longRunning } from "./pod-facts.ts";
import type { PodFiles } from "./pod-files.ts";
import { PodMemory } from "./pod-memory.ts";
import { PodObserver } from "./pod-observer.ts";
import { ApiPodSource, type PodSource } from "./pod-source.ts";
import { PodSyncer } from "./pod-syncer.ts";
import { PodWorkers } from "./pod-workers.ts";
import { podLogDirectory } from "./sandbox-spec.ts";
import { ServiceEnvironment } from "./service-environment.ts";
import { StatusWriter } from "./status-writer.ts";

export interface PodManagerComponents {
  readonly api: ApiClient;
  readonly changes?: Changes;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly recorder: EventRecorder;
  readonly volumes: Volumes;
  readonly files: PodFiles;
  readonly probeRunner: ProbeRunner;
}

export interface PodManagerOptions extends StarterOptions {
  /** False where containers write no log files. */
  readonly hasLogFiles: boolean;
}

/** Figures of upstream's kubelet: containerLogMaxSize, containerLogMaxFiles, containerLogMonitorInterval. */
const LOG_MAX_BYTES = 10 * 1024 * 1024;
const LOG_MAX_FILES = 5;
const HOUSEKEEPING_MS = 10_000;

/** All pods of one node: who wakes them, and what a step is made of. */
export class PodManager implements Startable {
  readonly source: PodSource;
  readonly #components: PodManagerComponents;
  readonly #options: PodManagerOptions;
  readonly #statuses: StatusWriter;
  readonly #prober: Prober;
  readonly #workers: PodWorkers;
  readonly #interrupted = new Map<string, string>();
  #unwatch: (() => void) | undefined;
  #housekeeping: Timer | undefined;
  #stopped = false;

  constructor(components: PodManagerComponents, options: PodManagerOptions) {
    const { clock, log } = components;
    this.#components = components;
    this.#options = options;
    this.source = new ApiPodSource(components, { nodeName: options.nodeName });
    this.#statuses = new StatusWriter(components);
    const events = new PodEvents(components.recorder);
    const runner = components.probeRunner;
    this.#prober = new Prober({ clock, runner, events }, (uid) => this.#workers.wake(uid));
    const syncer = this.#syncer(events);
    this.#workers = new PodWorkers({ clock, log }, (uid, signal) => syncer.step(uid, signal));
    this.source.onChange((uid, last) => {
      const isGone = this.source.get(uid) === undefined;
      if (isGone) syncer.lost(uid, last);
      if (isGone || isBeingDeleted(last)) this.#interruptOnce(uid, isGone, last);
      this.#workers.wake(uid);
    });
    this.source.onSynced(() => void this.#wakeStrangers());
  }

  async start(): Promise<void> {
    const { runtime, clock } = this.#components;
    this.#unwatch = runtime.watch((uid) => this.#workers.wake(uid));
    this.#housekeeping = clock.after(HOUSEKEEPING_MS, () => void this.#houseKeep());
    await this.source.start();
  }

  /** Leaves everything that runs running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#housekeeping?.cancel();
    this.#unwatch?.();
    await this.source.stop();
    await this.#workers.stop();
    this.#prober.stop();
    await this.#statuses.stop();
  }

  #syncer(events: PodEvents): PodSyncer {
    const { api, runtime, clock, volumes } = this.#components;
    const options = this.#options;
    const memory = new PodMemory();
    const statuses = this.#statuses;
    const prober = this.#prober;
    const config = new ApiConfigSource(api);
    const services = new ServiceEnvironment(api);
    const images = new ImagePuller({ runtime, clock, events, config });
    const stopper = new ContainerStopper({ ...this.#components, events });
    const observer = new PodObserver({ ...this.#components, memory, statuses, probes: prober }, options);
    const ender = new PodEnder({ api, runtime, volumes, observer, stopper, statuses, prober }, options);
    const starter = new ContainerStarter({ ...this.#components, events, images, memory, config, services }, options);
    const parts = { statuses, memory, images, stopper, observer, ender, starter, prober };
    return new PodSyncer({ source: this.source, runtime, volumes, events, ...parts }, options);
  }

  /** A pull or a long grace must not hold up a deletion, nor a shorter grace; the same wish interrupts once. */
  #interruptOnce(uid: string, isGone: boolean, last: Pod): void {
    const wish = isGone ? "gone" : `${last.metadata?.deletionTimestamp} ${last.metadata?.deletionGracePeriodSeconds}`;
    if (this.#interrupted.get(uid) === wish) return;
    this.#interrupted.set(uid, wish);
    this.#workers.interrupt(uid);
  }

  /** Looks at what is on the node and not in the API: ended while the agent was away, or forced away. */
  async #wakeStrangers(): Promise<void> {
    const { runtime, volumes, log } = this.#components;
    try {
      const alive = (await runtime.listPods()).map(({ uid }) => uid);
      const uids = [...alive, ...(await volumes.list()), ...(await this.#loggedUids())];
      for (const uid of uids) if (this.source.get(uid) === undefined) this.#workers.wake(uid);
    } catch (error) {
      log.warn("what runs on the node cannot be listed", { error });
    }
  }

  async #loggedUids(): Promise<string[]> {
    if (!this.#options.hasLogFiles) return [];
    const names = await readdir(this.#options.podLogsDir).catch(() => []);
    return names.map((name) => name.slice(name.lastIndexOf("_") + 1));
  }

  async #houseKeep(): Promise<void> {
    if (this.source.synced) await this.#wakeStrangers();
    if (this.#options.hasLogFiles) await this.#rotateLogs();
    const known = new Set(this.#workers.uids());
    for (const uid of this.#interrupted.keys()) if (!known.has(uid)) this.#interrupted.delete(uid);
    if (this.#stopped) return;
    this.#housekeeping = this.#components.clock.after(HOUSEKEEPING_MS, () => void this.#houseKeep());
  }

  /** By what the status says, so that the runtime is asked only when there is something to do. */
  async #rotateLogs(): Promise<void> {
    const { runtime, log } = this.#components;
    for (const pod of this.source.list()) {
      const names = new Set(longRunning(pod).map((container) => container.name));
      const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
      for (const { name = "", containerID = "", restartCount, state } of statuses) {
        if (state?.running === undefined || !names.has(name)) continue;
        const folder = join(podLogDirectory(this.#options.podLogsDir, pod), name);
        const id = containerID.slice(containerID.indexOf("://") + 3);
        const container = { id, logPath: join(folder, `${restartCount ?? 0}.log`) };
        await runtime.rotateLog(container, LOG_MAX_BYTES, LOG_MAX_FILES).catch((error: unknown) => {
          log.warn("a log cannot be rotated", { pod: pod.metadata?.name, container: name, error });
        });
      }
    }
  }
}
