import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { PodEvents } from "../events/pod-events.ts";
import type { Prober } from "../probes/prober.ts";
import type { PodState, Runtime, SandboxState } from "../runtime/runtime.ts";
import { VolumeError, type Volumes } from "../volumes/volumes.ts";
import type { ContainerStarter } from "./container-starter.ts";
import type { ContainerStopper } from "./container-stopper.ts";
import type { ImagePuller } from "./image-puller.ts";
import type { PodEnder } from "./pod-ender.ts";
import { attemptsOf, graceSecondsOf, isBeingDeleted, isTerminalPhase, podUid } from "./pod-facts.ts";
import type { PodMemory } from "./pod-memory.ts";
import type { PodObserver } from "./pod-observer.ts";
import { type PodPlan, planPod, usableSandbox } from "./pod-plan.ts";
import type { PodSource } from "./pod-source.ts";
import type { StepResult } from "./pod-workers.ts";
import { type SandboxSettings, sandboxSpecOf } from "./sandbox-spec.ts";
import { StartError } from "./start-error.ts";
import type { StatusWriter } from "./status-writer.ts";

export interface SyncerComponents {
  readonly source: PodSource;
  readonly runtime: Runtime;
  readonly volumes: Volumes;
  readonly observer: PodObserver;
  readonly statuses: StatusWriter;
  readonly starter: ContainerStarter;
  readonly stopper: ContainerStopper;
  readonly ender: PodEnder;
  readonly images: ImagePuller;
  readonly prober: Prober;
  readonly memory: PodMemory;
  readonly events: PodEvents;
}

/** Rounds of one step: sandbox, then each init container, then the others; what is left comes with the next step. */
const ROUNDS_LIMIT = 16;
const RETRY_MS = 10_000;
const SUSPECT_RETRY_MS = 2_000;
/** Volumes whose contents change (config, tokens) are looked at again after this long. */
const REFRESH_MS = 60_000;

/** What one round came to: go on at once, or look again later. */
type Round = { readonly goOn: true } | { readonly goOn: false; readonly againMs?: number };

/** The state machine of pods: reads the API's wish and the runtime's state, and moves the one towards the other. */
export class PodSyncer {
  readonly #components: SyncerComponents;
  readonly #settings: SandboxSettings;
  /** Last known form of pods that the API has no more. */
  readonly #gone = new Map<string, Pod>();

  constructor(components: SyncerComponents, settings: SandboxSettings) {
    this.#components = components;
    this.#settings = settings;
  }

  /** The pod went from the API; its last form tells how to end it. */
  lost(uid: string, last: Pod): void {
    this.#gone.set(uid, last);
  }

  async step(uid: string, signal: AbortSignal): Promise<StepResult> {
    const { source, statuses, ender } = this.#components;
    const pod = source.get(uid);
    if (pod === undefined) {
      // Invariant 46: before the API has told all its pods, one that it did not tell may still be one of them.
      if (!source.synced) return {};
      return await this.#endStranger(uid, signal);
    }
    const current = statuses.latest(pod);
    if (isBeingDeleted(current) || isTerminalPhase(current.status?.phase)) return await ender.end(current, signal);
    return await this.#advance(current, signal);
  }

  async #endStranger(uid: string, signal: AbortSignal): Promise<StepResult> {
    const { ender, prober, memory, starter, images } = this.#components;
    prober.forget(uid);
    const result = await ender.endStranger(uid, this.#gone.get(uid), signal);
    if (result.done !== true) return result;
    this.#gone.delete(uid);
    memory.forget(uid);
    starter.forgetPod(uid);
    images.forgetPod(uid);
    return result;
  }

  async #advance(pod: Pod, signal: AbortSignal): Promise<StepResult> {
    const { observer, prober, statuses, ender, memory } = this.#components;
    const uid = podUid(pod);
    for (let round = 0; round < ROUNDS_LIMIT; round++) {
      const state = await observer.read(uid);
      const known = statuses.latest(pod);
      for (const each of state.containers) if (each.state === "running") memory.setWaiting(uid, each.name, undefined);
      prober.follow(known, state);
      observer.publish(known, state);
      const plan = planPod(known, state, prober);
      if (plan.finished) return await ender.end(known, signal);
      const result = await this.#round(known, state, plan, signal);
      if (!result.goOn) return { againMs: Math.min(result.againMs ?? REFRESH_MS, REFRESH_MS) };
      signal.throwIfAborted();
    }
    return { againMs: 0 };
  }

  async #round(pod: Pod, state: PodState, plan: PodPlan, signal: AbortSignal): Promise<Round> {
    const { stopper, events } = this.#components;
    for (const suspect of plan.suspects) {
      events.warning(pod, undefined, "RuntimeAnswerSuspect", `Container ${suspect.name}: ${suspect.suspect}`);
    }
    if (plan.suspects.length > 0) return { goOn: false, againMs: SUSPECT_RETRY_MS };
    const grace = graceSecondsOf(pod);
    await Promise.all(plan.kill.map((each) => stopper.stop(pod, each.container, each.message, grace, signal)));
    if (plan.newSandboxAttempt !== undefined) return await this.#newSandbox(pod, state, plan, signal);
    const sandbox = usableSandbox(pod, state);
    if (plan.kill.length > 0 || sandbox === undefined) return { goOn: true };
    const volumes = await this.#mount(pod);
    if (plan.start.length === 0) {
      await this.#prune(state);
      return { goOn: false };
    }
    return await this.#startAll(pod, state, sandbox, volumes, plan.start, signal);
  }

  async #newSandbox(pod: Pod, state: PodState, plan: PodPlan, signal: AbortSignal): Promise<Round> {
    const { runtime, stopper, events } = this.#components;
    if (plan.sandboxChanged) {
      events.normal(pod, undefined, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
      await stopper.stopAll(pod, state, graceSecondsOf(pod), signal);
      for (const sandbox of state.sandboxes) await runtime.stopSandbox(sandbox.id);
    }
    await this.#mount(pod);
    signal.throwIfAborted();
    try {
      await runtime.runSandbox(sandboxSpecOf(pod, plan.newSandboxAttempt ?? 0, this.#settings));
    } catch (thrown) {
      const message = `Failed to create pod sandbox: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
      events.warning(pod, undefined, "FailedCreatePodSandBox", message);
      throw thrown;
    }
    return { goOn: true };
  }

  async #mount(pod: Pod): Promise<ReadonlyMap<string, string>> {
    const { volumes, events } = this.#components;
    try {
      return await volumes.mount(pod);
    } catch (thrown) {
      if (thrown instanceof VolumeError) events.warning(pod, undefined, "FailedMount", thrown.message);
      throw thrown;
    }
  }

  async #startAll(
    pod: Pod,
    state: PodState,
    sandbox: SandboxState,
    volumes: ReadonlyMap<string, string>,
    containers: readonly Container[],
    signal: AbortSignal,
  ): Promise<Round> {
    const { starter, memory, observer } = this.#components;
    const uid = podUid(pod);
    let againMs: number | undefined;
    let started = 0;
    for (const container of containers) {
      signal.throwIfAborted();
      try {
        await starter.start(pod, container, { state, sandbox, volumes, signal });
        memory.setWaiting(uid, container.name ?? "", undefined);
        started++;
      } catch (thrown) {
        if (!(thrown instanceof StartError)) throw thrown;
        memory.setWaiting(uid, container.name ?? "", { reason: thrown.reason, message: thrown.message });
        againMs = Math.min(againMs ?? Number.POSITIVE_INFINITY, thrown.retryMs ?? RETRY_MS);
      }
    }
    if (againMs === undefined) return { goOn: true };
    observer.publish(pod, started > 0 ? await observer.read(uid) : state);
    return { goOn: false, againMs };
  }

  /** Keeps the last ended attempt of each container (`logs --previous`) and no sandbox that nothing is in. */
  async #prune(state: PodState): Promise<void> {
    const { runtime } = this.#components;
    const names = new Set(state.containers.map((container) => container.name));
    const removed = new Set<string>();
    for (const name of names) {
      const [latest, ...older] = attemptsOf(state, name);
      const keep = latest?.state === "exited" ? 0 : 1;
      for (const container of older.slice(keep)) {
        if (container.state !== "exited" || container.suspect !== undefined) continue;
        await runtime.removeContainer(container.id);
        removed.add(container.id);
      }
    }
    for (const sandbox of state.sandboxes.slice(1)) {
      const inUse = state.containers.some((each) => each.sandboxId === sandbox.id && !removed.has(each.id));
      if (!sandbox.ready && !inUse) await runtime.removeSandbox(sandbox.id);
    }
  }
}
