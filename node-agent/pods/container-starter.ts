import type { Clock } from "../../lib/core/clock.ts";
import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { PodEvents } from "../events/pod-events.ts";
import {
  type ContainerSpec,
  type ImageRecord,
  type PodState,
  type Runtime,
  RuntimeError,
  type SandboxState,
} from "../runtime/runtime.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { Backoff } from "./backoff.ts";
import type { ConfigSource } from "./config-source.ts";
import { containerHash, containerSpecOf } from "./container-spec.ts";
import { environmentOf } from "./environment.ts";
import { ConfigError } from "./field-ref.ts";
import type { ImagePuller } from "./image-puller.ts";
import { runHook } from "./life-cycle-hook.ts";
import { isSidecar, latestOf, podLabel, podUid } from "./pod-facts.ts";
import type { PodFiles } from "./pod-files.ts";
import type { PodMemory } from "./pod-memory.ts";
import { podIps } from "./pod-status.ts";
import { type SandboxSettings, sandboxSpecOf } from "./sandbox-spec.ts";
import type { ServiceEnvironment } from "./service-environment.ts";
import { StartError } from "./start-error.ts";
import { volumeMountsOf } from "./volume-mounts.ts";

/** Source: kubernetes/kubernetes:pkg/kubelet (MaxContainerBackOff, backOffPeriod). */
const CRASH_BACKOFF = { initialMs: 10_000, maxMs: 300_000 };
const HOOK_TIMEOUT_SECONDS = 3_600;

export interface StarterOptions extends SandboxSettings {
  readonly hostIp: string;
  readonly memoryCapacityBytes: number;
  /** Of the node, for `resourceFieldRef` without a limit. */
  readonly allocatable: Readonly<Record<string, string>>;
}

export interface StarterComponents {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly events: PodEvents;
  readonly images: ImagePuller;
  readonly files: PodFiles;
  readonly memory: PodMemory;
  readonly volumes: Volumes;
  readonly config: ConfigSource;
  readonly services: ServiceEnvironment;
}

export interface StartTarget {
  readonly state: PodState;
  readonly sandbox: SandboxState;
  readonly volumes: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
}

/** Brings one container from nothing, or from its last end, to running. */
export class ContainerStarter {
  readonly #components: StarterComponents;
  readonly #options: StarterOptions;
  readonly #crashes: Backoff;

  constructor(components: StarterComponents, options: StarterOptions) {
    this.#components = components;
    this.#options = options;
    this.#crashes = new Backoff(components.clock, CRASH_BACKOFF);
  }

  /** Throws StartError; whatever else is thrown has an outcome that only the runtime's state tells. */
  async start(pod: Pod, container: Container, target: StartTarget): Promise<void> {
    const { runtime, events } = this.#components;
    this.#waitAfterCrash(pod, container, target.state);
    const latest = latestOf(target.state, container.name ?? "", target.sandbox.id);
    const containerId =
      latest?.state === "created"
        ? latest.id
        : await this.#create(pod, container, target, await this.#image(pod, container, target.signal));
    try {
      await runtime.startContainer(containerId);
    } catch (thrown) {
      throw this.#failed(pod, container, "RunContainerError", thrown);
    }
    events.normal(pod, container, "Started", "Container started");
    await this.#postStart(pod, container, containerId, target);
  }

  async #image(pod: Pod, container: Container, signal: AbortSignal): Promise<ImageRecord> {
    const { images, events } = this.#components;
    try {
      return await images.ensure(pod, container, signal);
    } catch (thrown) {
      if (thrown instanceof StartError) events.warning(pod, container, "Failed", `Error: ${thrown.reason}`);
      throw thrown;
    }
  }

  forgetPod(uid: string): void {
    this.#crashes.forget(`${uid}\n`);
  }

  async #create(pod: Pod, container: Container, target: StartTarget, image: ImageRecord): Promise<string> {
    const { runtime, events } = this.#components;
    let spec: ContainerSpec;
    try {
      spec = await this.#specOf(pod, container, target, image);
    } catch (thrown) {
      if (!(thrown instanceof ConfigError)) throw thrown;
      throw this.#failed(pod, container, "CreateContainerConfigError", thrown);
    }
    try {
      const sandboxSpec = sandboxSpecOf(pod, target.sandbox.attempt, this.#options);
      const id = await runtime.createContainer(target.sandbox.id, spec, sandboxSpec);
      events.normal(pod, container, "Created", "Container created");
      return id;
    } catch (thrown) {
      throw this.#failed(pod, container, "CreateContainerError", thrown);
    }
  }

  async #specOf(pod: Pod, container: Container, target: StartTarget, image: ImageRecord): Promise<ContainerSpec> {
    const { files, volumes, config, services } = this.#components;
    const { hostIp, memoryCapacityBytes, allocatable } = this.#options;
    const ips = podIps(pod, target.state, hostIp);
    const serviceEnvironment = await services.of(pod);
    const sources = { config, serviceEnvironment, allocatable, hostIp, podIps: ips };
    const environment = await environmentOf(pod, container, sources);
    const mounts = [
      ...(await volumeMountsOf(podUid(pod), container, target.volumes, volumes, environment)),
      ...(await files.mountsFor(pod, container, ips)),
    ];
    const attempt = nextAttempt(pod, container.name ?? "", target.state);
    return containerSpecOf(pod, container, attempt, { environment, memoryCapacityBytes, image, mounts });
  }

  async #postStart(pod: Pod, container: Container, containerId: string, target: StartTarget): Promise<void> {
    const handler = container.lifecycle?.postStart;
    if (handler === undefined) return;
    const [podIp = ""] = podIps(pod, target.state, this.#options.hostIp);
    try {
      const { signal } = target;
      await runHook(this.#components, handler, {
        container,
        containerId,
        podIp,
        timeoutSeconds: HOOK_TIMEOUT_SECONDS,
        signal,
      });
    } catch (thrown) {
      const text = thrown instanceof Error ? thrown.message : String(thrown);
      this.#components.events.warning(pod, container, "FailedPostStartHook", `PostStartHook failed: ${text}`);
      this.#components.events.normal(pod, container, "Killing", `FailedPostStartHook`);
      await this.#components.runtime.stopContainer(containerId, Number(pod.spec?.terminationGracePeriodSeconds ?? 30));
      throw new StartError("PostStartHookError", `PostStartHookError: ${text}`, undefined, { cause: thrown });
    }
  }

  #waitAfterCrash(pod: Pod, container: Container, state: PodState): void {
    const { clock, memory, events } = this.#components;
    const latest = latestOf(state, container.name ?? "");
    if (latest?.state !== "exited" || (isSidecar(container) && latest.exitCode === 0 && latest.startedAtMs === 0))
      return;
    const uid = podUid(pod);
    const key = `${uid}\n${container.name}\n${containerHash(container)}`;
    const sinceMs = memory.deadSinceMs(uid, latest.id, clock.monotonicMs());
    const leftMs = this.#crashes.leftMs(key, sinceMs);
    if (leftMs <= 0) {
      this.#crashes.failed(key, sinceMs);
      return;
    }
    const text = `restarting failed container`;
    events.warning(pod, container, "BackOff", `Back-off ${text} ${container.name} in pod ${podLabel(pod)}`);
    const delay = goDuration(this.#crashes.delayMs(key));
    const message = `back-off ${delay} ${text}=${container.name} pod=${podLabel(pod)}`;
    throw new StartError("CrashLoopBackOff", message, leftMs);
  }

  /** What to throw: an unknown outcome stays one, so that the next step reads the state first (invariant 48). */
  #failed(pod: Pod, container: Container, reason: string, thrown: unknown): unknown {
    if (thrown instanceof RuntimeError && (thrown.code === "timeout" || thrown.code === "unavailable")) return thrown;
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    this.#components.events.warning(pod, container, "Failed", `Error: ${text}`);
    return new StartError(reason, text, undefined, { cause: thrown });
  }
}

/** One more than any attempt that is known, here or to the API: restartCount never falls (invariants 43, 48). */
export function nextAttempt(pod: Pod, name: string, state: PodState): number {
  const here = Math.max(-1, ...state.containers.filter((each) => each.name === name).map((each) => each.attempt));
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const old = statuses.find((status) => status.name === name);
  const told = old?.containerID === undefined || old.containerID === "" ? -1 : Number(old.restartCount ?? 0);
  return Math.max(here, told) + 1;
}

/** As Go prints whole seconds: `10s`, `2m40s`, `5m0s`. */
function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
