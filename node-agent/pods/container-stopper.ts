import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Container, LifecycleHandler, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { PodEvents } from "../events/pod-events.ts";
import { ANNOTATIONS, type ContainerState, type PodState, type Runtime } from "../runtime/runtime.ts";
import { runHook } from "./life-cycle-hook.ts";
import { initContainers, isSidecar } from "./pod-facts.ts";

/** However long its hook took, a process gets this long between SIGTERM and SIGKILL. */
const FLOOR_SECONDS = 2;

/** Ends containers: hook first, then SIGTERM, then SIGKILL when the grace is over (invariant 47). */
export class ContainerStopper {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #events: PodEvents;
  readonly #log: Log;

  constructor(components: { runtime: Runtime; clock: Clock; events: PodEvents; log: Log }) {
    this.#runtime = components.runtime;
    this.#clock = components.clock;
    this.#events = components.events;
    this.#log = components.log;
  }

  /** Ends everything of a pod that may run; sidecars go after the others (KEP-753). `pod` is unknown for strangers. */
  async stopAll(pod: Pod | undefined, state: PodState, graceSeconds: number, signal: AbortSignal): Promise<void> {
    const alive = state.containers.filter(
      (container) => container.state !== "exited" && container.suspect === undefined,
    );
    const sidecars = new Set(
      pod === undefined
        ? []
        : initContainers(pod)
            .filter(isSidecar)
            .map((each) => each.name),
    );
    const startedMs = this.#clock.monotonicMs();
    const stop = (container: ContainerState, seconds: number) =>
      this.stop(pod, container, `Stopping container ${container.name}`, seconds, signal, podIpOf(state));
    const isApp = (container: ContainerState) => !sidecars.has(container.name);
    await Promise.all(alive.filter(isApp).map((container) => stop(container, graceSeconds)));
    const spentSeconds = Math.ceil((this.#clock.monotonicMs() - startedMs) / 1_000);
    const left = Math.max(FLOOR_SECONDS, graceSeconds - spentSeconds);
    // Later sidecars may need earlier ones: the last goes first.
    for (const container of alive.filter((each) => !isApp(each)).sort((a, b) => b.createdAtMs - a.createdAtMs))
      await stop(container, left);
  }

  async stop(
    pod: Pod | undefined,
    container: ContainerState,
    message: string,
    graceSeconds: number,
    signal: AbortSignal,
    podIp = "",
  ): Promise<void> {
    const all = [...(pod?.spec?.initContainers ?? []), ...(pod?.spec?.containers ?? [])];
    const spec = all.find((each) => each.name === container.name);
    if (pod !== undefined) this.#events.normal(pod, spec, "Killing", message);
    const startedMs = this.#clock.monotonicMs();
    const preStop = spec?.lifecycle?.preStop ?? savedPreStop(container);
    if (preStop !== undefined && container.state === "running")
      await this.#preStop(pod, spec ?? { name: container.name }, container, preStop, graceSeconds, podIp);
    const spentSeconds = Math.floor((this.#clock.monotonicMs() - startedMs) / 1_000);
    await this.#runtime.stopContainer(container.id, Math.max(FLOOR_SECONDS, graceSeconds - spentSeconds), signal);
  }

  async #preStop(
    pod: Pod | undefined,
    spec: Container,
    container: ContainerState,
    handler: LifecycleHandler,
    graceSeconds: number,
    podIp: string,
  ): Promise<void> {
    const target = { container: spec, containerId: container.id, podIp, timeoutSeconds: graceSeconds };
    try {
      await runHook({ runtime: this.#runtime, clock: this.#clock }, handler, target);
    } catch (thrown) {
      this.#log.warn("preStop hook failed", { container: container.name, error: thrown });
      if (pod !== undefined) this.#events.warning(pod, spec, "FailedPreStopHook", "PreStopHook failed");
    }
  }
}

function podIpOf(state: PodState): string {
  return state.sandboxes[0]?.ips[0] ?? "";
}

/** The hook of a container whose pod the API does not know any more, from the label that it was made with. */
function savedPreStop(container: ContainerState): LifecycleHandler | undefined {
  const text = container.annotations[ANNOTATIONS.preStopHandler];
  if (text === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return (parsed as { lifecycle?: { preStop?: LifecycleHandler } }).lifecycle?.preStop;
  } catch {
    return undefined;
  }
}
