import type { Clock, Timer } from "../../lib/core/clock.ts";
import type { Container, Pod, Probe } from "../../lib/gen/k8s/core/v1.ts";
import type { PodEvents } from "../events/pod-events.ts";
import { oldStatusOf } from "../pods/container-status.ts";
import { initContainers, podUid } from "../pods/pod-facts.ts";
import { type ProbeVerdicts, runningContainers } from "../pods/pod-plan.ts";
import type { ContainerState, PodState } from "../runtime/runtime.ts";
import type { ProbeRunner } from "./probe-runner.ts";

type ProbeKind = "startup" | "liveness" | "readiness";

interface Watched {
  readonly podUid: string;
  readonly timers: Map<ProbeKind, Timer>;
  started: boolean;
  ready: boolean;
  condemned: string | undefined;
}

interface Target {
  pod: Pod;
  readonly container: Container;
  readonly state: ContainerState;
  readonly podIp: string;
}

/** Runs the probes of running containers and keeps what they found. */
export class Prober implements ProbeVerdicts {
  readonly #clock: Clock;
  readonly #runner: ProbeRunner;
  readonly #events: PodEvents;
  readonly #onChange: (podUid: string) => void;
  readonly #watched = new Map<string, Watched>();

  constructor(
    components: { clock: Clock; runner: ProbeRunner; events: PodEvents },
    onChange: (podUid: string) => void,
  ) {
    this.#clock = components.clock;
    this.#runner = components.runner;
    this.#events = components.events;
    this.#onChange = onChange;
  }

  started(container: ContainerState): boolean {
    return this.#watched.get(container.id)?.started ?? false;
  }

  ready(container: ContainerState): boolean {
    return this.#watched.get(container.id)?.ready ?? false;
  }

  condemned(container: ContainerState): string | undefined {
    return this.#watched.get(container.id)?.condemned;
  }

  /** Probes what runs of this pod, and nothing else of it. */
  follow(pod: Pod, state: PodState): void {
    const running = runningContainers(pod, state);
    const ids = new Set(running.map((each) => each.state.id));
    for (const [id, watched] of this.#watched) {
      if (watched.podUid === podUid(pod) && !ids.has(id)) this.#drop(id);
    }
    const podIp = state.sandboxes[0]?.ips[0] ?? pod.status?.hostIP ?? "";
    for (const each of running) {
      if (!this.#watched.has(each.state.id)) this.#begin({ pod, podIp, ...each });
    }
  }

  forget(uid: string): void {
    for (const [id, watched] of this.#watched) if (watched.podUid === uid) this.#drop(id);
  }

  stop(): void {
    for (const id of this.#watched.keys()) this.#drop(id);
  }

  #drop(id: string): void {
    for (const timer of this.#watched.get(id)?.timers.values() ?? []) timer.cancel();
    this.#watched.delete(id);
  }

  #begin(target: Target): void {
    const { pod, container, state } = target;
    const kind = initContainers(pod).some((each) => each.name === container.name) ? "init" : "app";
    const told = oldStatusOf(pod, container.name ?? "", kind);
    // Invariant 45: what the API was told of this very container holds until a probe says otherwise.
    const same = told?.containerID?.endsWith(`://${state.id}`) === true ? told : undefined;
    const started = container.startupProbe === undefined || same?.started === true;
    const ready = started && (container.readinessProbe === undefined || same?.ready === true);
    const watched: Watched = { podUid: podUid(pod), timers: new Map(), started, ready, condemned: undefined };
    this.#watched.set(state.id, watched);
    if (!started) this.#schedule("startup", container.startupProbe, target, watched);
    else this.#afterStart(target, watched);
  }

  #afterStart(target: Target, watched: Watched): void {
    const { container } = target;
    if (container.livenessProbe !== undefined) this.#schedule("liveness", container.livenessProbe, target, watched);
    if (container.readinessProbe !== undefined) this.#schedule("readiness", container.readinessProbe, target, watched);
    else watched.ready = true;
  }

  #schedule(kind: ProbeKind, probe: Probe | undefined, target: Target, watched: Watched): void {
    if (probe === undefined) return;
    const counts = { successes: 0, failures: 0 };
    const periodMs = Number(probe.periodSeconds ?? 10) * 1_000;
    const sinceStartMs = this.#clock.nowMs() - target.state.startedAtMs;
    const firstMs = Math.max(0, Number(probe.initialDelaySeconds ?? 0) * 1_000 - Math.max(0, sinceStartMs));
    const tick = async (): Promise<void> => {
      const answer = await this.#runner.run(probe, target);
      if (this.#watched.get(target.state.id) !== watched) return;
      this.#judge(kind, probe, answer, counts, target, watched);
      const over = watched.condemned !== undefined || (kind === "startup" && watched.started);
      if (!over) arm(periodMs);
    };
    const arm = (delayMs: number): void => {
      watched.timers.set(
        kind,
        this.#clock.after(delayMs, () => void tick()),
      );
    };
    arm(firstMs);
  }

  #judge(
    kind: ProbeKind,
    probe: Probe,
    answer: { result: "success" | "failure" | "unknown"; output: string },
    counts: { successes: number; failures: number },
    target: Target,
    watched: Watched,
  ): void {
    const name = `${kind[0]!.toUpperCase()}${kind.slice(1)}`;
    const before = `${watched.started} ${watched.ready} ${watched.condemned}`;
    if (answer.result === "success") {
      counts.successes++;
      counts.failures = 0;
      if (counts.successes >= Number(probe.successThreshold ?? 1)) this.#passed(kind, target, watched);
    } else {
      const verb = answer.result === "failure" ? "failed" : "errored";
      this.#events.warning(target.pod, target.container, "Unhealthy", `${name} probe ${verb}: ${answer.output}`);
      // An error of the asking says nothing about the container.
      if (answer.result === "unknown") return;
      counts.failures++;
      counts.successes = 0;
      if (counts.failures >= Number(probe.failureThreshold ?? 3)) failed(kind, watched);
    }
    if (before !== `${watched.started} ${watched.ready} ${watched.condemned}`) this.#onChange(watched.podUid);
  }

  #passed(kind: ProbeKind, target: Target, watched: Watched): void {
    if (kind === "readiness") watched.ready = true;
    if (kind !== "startup" || watched.started) return;
    watched.started = true;
    this.#afterStart(target, watched);
  }
}

function failed(kind: ProbeKind, watched: Watched): void {
  if (kind === "readiness") watched.ready = false;
  else watched.condemned = `failed ${kind} probe`;
}
