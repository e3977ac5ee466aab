import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ApiClient } from "../../lib/client/api-client.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { pods } from "../../lib/gen/k8s/resources.ts";
import type { Prober } from "../probes/prober.ts";
import { ANNOTATIONS, type PodState, type Runtime } from "../runtime/runtime.ts";
import type { Volumes } from "../volumes/volumes.ts";
import type { ContainerStopper } from "./container-stopper.ts";
import { graceSecondsOf, isBeingDeleted, isTerminalPhase, podUid } from "./pod-facts.ts";
import type { PodObserver } from "./pod-observer.ts";
import type { StepResult } from "./pod-workers.ts";
import type { StatusWriter } from "./status-writer.ts";

export interface EnderComponents {
  readonly api: ApiClient;
  readonly runtime: Runtime;
  readonly volumes: Volumes;
  readonly observer: PodObserver;
  readonly stopper: ContainerStopper;
  readonly statuses: StatusWriter;
  readonly prober: Prober;
}

const STRANGER_GRACE_SECONDS = 30;

/** The way out: containers, sandbox, volumes, the last status, and only then the object (invariant 44). */
export class PodEnder {
  readonly #components: EnderComponents;
  readonly #podLogsDir: string;

  constructor(components: EnderComponents, options: { podLogsDir: string }) {
    this.#components = components;
    this.#podLogsDir = options.podLogsDir;
  }

  /** Ends a pod that the API still has: it is being deleted, or it has run to its end. */
  async end(pod: Pod, signal: AbortSignal, verdict?: { reason: string; message: string }): Promise<StepResult> {
    const { observer, statuses, volumes, prober } = this.#components;
    const uid = podUid(pod);
    const before = await observer.read(uid);
    // While it ends it is as ready as it was: whoever routes to it looks at deletionTimestamp.
    prober.follow(pod, before);
    if (!isTerminalPhase(statuses.latest(pod).status?.phase)) observer.publish(pod, before);
    const state = await this.#stop(uid, pod, before, graceSecondsOf(pod), signal);
    if (state === undefined) return { againMs: 1_000 };
    prober.forget(uid);
    observer.publish(pod, state, { ended: true, ...(verdict === undefined ? {} : { verdict }) });
    await volumes.unmount(uid);
    await statuses.flush(uid, signal);
    if (!isBeingDeleted(pod)) return {};
    await this.#deleteObject(pod);
    return {};
  }

  /** Ends what is left of a pod that the API does not have: forced away, or gone while this node was down. */
  async endStranger(uid: string, last: Pod | undefined, signal: AbortSignal): Promise<StepResult> {
    const { observer, runtime, volumes, statuses } = this.#components;
    const before = await observer.read(uid);
    const grace = last === undefined ? savedGrace(before) : graceSecondsOf(last);
    const state = await this.#stop(uid, last, before, grace, signal);
    if (state === undefined) return { againMs: 1_000 };
    await volumes.unmount(uid);
    for (const container of state.containers) await runtime.removeContainer(container.id);
    for (const sandbox of state.sandboxes) await runtime.removeSandbox(sandbox.id);
    await removeLogs(this.#podLogsDir, uid);
    statuses.forget(uid);
    return { done: true };
  }

  /** Undefined while something may still be alive; the caller looks again. */
  async #stop(
    uid: string,
    pod: Pod | undefined,
    before: PodState,
    graceSeconds: number,
    signal: AbortSignal,
  ): Promise<PodState | undefined> {
    const { stopper, runtime, observer } = this.#components;
    if (before.containers.some((container) => container.state !== "exited"))
      await stopper.stopAll(pod, before, graceSeconds, signal);
    for (const sandbox of before.sandboxes) if (sandbox.ready) await runtime.stopSandbox(sandbox.id);
    const after = await observer.read(uid);
    const dead = after.containers.every((container) => container.state === "exited" || container.state === "created");
    return dead && after.sandboxes.every((sandbox) => !sandbox.ready) ? after : undefined;
  }

  async #deleteObject(pod: Pod): Promise<void> {
    const { name = "", namespace = "", uid = "" } = pod.metadata ?? {};
    try {
      await this.#components.api.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, uid });
    } catch (thrown) {
      const gone = thrown instanceof StatusError && (thrown.code === 404 || thrown.code === 409);
      if (!gone) throw thrown;
    }
  }
}

/** By the uid at the end of its name: what else the pod was called may not be known any more. */
async function removeLogs(podLogsDir: string, uid: string): Promise<void> {
  const names = await readdir(podLogsDir).catch(() => []);
  for (const name of names)
    if (name.endsWith(`_${uid}`)) await rm(join(podLogsDir, name), { recursive: true, force: true });
}

function savedGrace(state: PodState): number {
  const texts = state.containers.map((container) => container.annotations[ANNOTATIONS.podTerminationGracePeriod]);
  const seconds = texts.flatMap((text) => (text === undefined ? [] : [Number(text)])).filter(Number.isFinite);
  return seconds.length === 0 ? STRANGER_GRACE_SECONDS : Math.max(2, ...seconds);
}
