import type { Clock, Timer } from "../../../lib/core/clock.ts";
import type { Random } from "../../../lib/core/random.ts";
import {
  type ContainerSpec,
  type ContainerState,
  type ExecResult,
  type ImageCredentials,
  type ImageRecord,
  type LogFile,
  type LogLocation,
  type PodIdentity,
  type PodState,
  type Runtime,
  RuntimeError,
  type RuntimeHealth,
  type RuntimeVersion,
  type SandboxSpec,
  type SandboxState,
} from "../runtime.ts";
import { type Behaviour, behaviourOf, NO_DELAYS, type Timings } from "./behaviour.ts";
import { PodAddresses } from "./pod-addresses.ts";
import { SimulatedLog } from "./simulated-log.ts";
import type { SimulatedState } from "./simulated-state.ts";

export interface SimulatedRuntimeOptions {
  /** Pods get addresses of this range. */
  readonly podCidr: string;
  readonly timings?: Timings;
  /** Where containers outlive the process; without it they live in memory. */
  readonly state?: SimulatedState;
  /** False when an image cannot be pulled. */
  readonly hasImage?: (reference: string) => boolean;
}

export interface SimulatedSandbox {
  readonly spec: SandboxSpec;
  state: SandboxState;
}

export interface SimulatedContainer {
  readonly spec: ContainerSpec;
  readonly podUid: string;
  state: ContainerState;
  /** When and how it will end, on the wall clock; undefined while nothing makes it end. */
  end?: { readonly atMs: number; readonly exitCode: number };
}

/**
 * Pods without processes: a container's life is data (`behaviour.ts`) and a function of time, so that a node costs nothing
 * while nothing happens on it.
 */
export class SimulatedRuntime implements Runtime {
  readonly name = "simulated";
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: SimulatedRuntimeOptions;
  readonly #timings: Timings;
  readonly #addresses: PodAddresses;
  readonly #sandboxes = new Map<string, SimulatedSandbox>();
  readonly #containers = new Map<string, SimulatedContainer>();
  readonly #endings = new Map<string, Timer>();
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #listeners = new Set<(podUid: string) => void>();
  readonly #images = new Map<string, ImageRecord>();

  constructor(components: { clock: Clock; random: Random }, options: SimulatedRuntimeOptions) {
    this.#clock = components.clock;
    this.#random = components.random;
    this.#options = options;
    this.#timings = options.timings ?? NO_DELAYS;
    this.#addresses = new PodAddresses(options.podCidr);
  }

  async start(): Promise<void> {
    const saved = await this.#options.state?.load();
    for (const sandbox of saved?.sandboxes ?? []) {
      this.#sandboxes.set(sandbox.state.id, sandbox);
      for (const ip of sandbox.state.ips) this.#addresses.take(ip);
    }
    for (const container of saved?.containers ?? []) {
      this.#containers.set(container.state.id, container);
      if (container.state.state === "running") this.#armEnd(container);
    }
  }

  async stop(): Promise<void> {
    for (const timer of this.#endings.values()) timer.cancel();
    this.#endings.clear();
    await this.#options.state?.flush();
  }

  async version(): Promise<RuntimeVersion> {
    return { name: "simulated", version: "1" };
  }

  async health(): Promise<RuntimeHealth> {
    return { runtimeReady: true, networkReady: true, message: "" };
  }

  async listPods(): Promise<readonly PodIdentity[]> {
    const pods = new Map<string, PodIdentity>();
    for (const { spec, state } of this.#sandboxes.values()) {
      const alive = state.ready || (pods.get(spec.uid)?.alive ?? false);
      pods.set(spec.uid, { uid: spec.uid, name: spec.name, namespace: spec.namespace, alive });
    }
    return [...pods.values()];
  }

  async readPod(podUid: string): Promise<PodState> {
    const sandboxes = [...this.#sandboxes.values()].filter((sandbox) => sandbox.spec.uid === podUid);
    const containers = [...this.#containers.values()].filter((container) => container.podUid === podUid);
    return {
      sandboxes: sandboxes.map((sandbox) => sandbox.state).sort((a, b) => b.attempt - a.attempt),
      containers: containers
        .map((container) => container.state)
        .sort((a, b) => b.createdAtMs - a.createdAtMs || b.attempt - a.attempt),
    };
  }

  watch(listener: (podUid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async runSandbox(spec: SandboxSpec): Promise<string> {
    await this.#delay(this.#timings.sandboxMs);
    for (const { spec: other } of this.#sandboxes.values()) {
      if (other.uid === spec.uid && other.attempt === spec.attempt)
        throw new RuntimeError("failed", `the sandbox ${spec.name} of attempt ${spec.attempt} exists already`);
    }
    const id = this.#newId();
    const state: SandboxState = {
      id,
      attempt: spec.attempt,
      ready: true,
      createdAtMs: this.#clock.nowMs(),
      ips: spec.network === "node" ? [] : [this.#addresses.next()],
      labels: spec.labels,
      annotations: spec.annotations,
    };
    this.#sandboxes.set(id, { spec, state });
    this.#changed(spec.uid);
    return id;
  }

  async stopSandbox(sandboxId: string): Promise<void> {
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined || !sandbox.state.ready) return;
    for (const container of this.#containers.values()) {
      if (container.state.sandboxId === sandboxId && container.state.state === "running") this.#finish(container, 137);
    }
    for (const ip of sandbox.state.ips) this.#addresses.free(ip);
    sandbox.state = { ...sandbox.state, ready: false, ips: [] };
    this.#changed(sandbox.spec.uid);
  }

  async removeSandbox(sandboxId: string): Promise<void> {
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined) return;
    await this.stopSandbox(sandboxId);
    for (const [id, container] of this.#containers) {
      if (container.state.sandboxId === sandboxId) this.#containers.delete(id);
    }
    this.#sandboxes.delete(sandboxId);
    this.#changed(sandbox.spec.uid);
  }

  async createContainer(sandboxId: string, spec: ContainerSpec): Promise<string> {
    await this.#delay(this.#timings.createMs);
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined) throw new RuntimeError("not-found", `no sandbox ${sandboxId}`);
    if (!sandbox.state.ready) throw new RuntimeError("failed", `the sandbox ${sandboxId} is not ready`);
    for (const { podUid, spec: other } of this.#containers.values()) {
      if (podUid === sandbox.spec.uid && other.name === spec.name && other.attempt === spec.attempt)
        throw new RuntimeError("failed", `the container ${spec.name} of attempt ${spec.attempt} exists already`);
    }
    const image = [...this.#images.values()].find((each) => each.id === spec.image) ?? imageOf(spec.image);
    const id = this.#newId();
    const state: ContainerState = {
      id,
      sandboxId,
      name: spec.name,
      attempt: spec.attempt,
      state: "created",
      createdAtMs: this.#clock.nowMs(),
      startedAtMs: 0,
      finishedAtMs: 0,
      exitCode: 0,
      reason: "",
      message: "",
      image: image.tags[0]!,
      imageRef: image.digests[0]!,
      labels: spec.labels,
      annotations: spec.annotations,
      mounts: spec.mounts,
      logPath: `${sandbox.spec.logDirectory}/${spec.logPath}`,
    };
    this.#containers.set(id, { spec, podUid: sandbox.spec.uid, state });
    this.#changed(sandbox.spec.uid);
    return id;
  }

  async startContainer(containerId: string): Promise<void> {
    const container = this.#container(containerId);
    const behaviour = this.#behaviour(container);
    await this.#delay(behaviour.startMs ?? this.#timings.startMs);
    if (container.state.state !== "created")
      throw new RuntimeError("failed", `the container ${containerId} is ${container.state.state}`);
    const nowMs = this.#clock.nowMs();
    if (behaviour.startError !== undefined) {
      const ended = { finishedAtMs: nowMs, exitCode: 128, reason: "StartError", message: behaviour.startError };
      container.state = { ...container.state, state: "exited", ...ended };
      this.#changed(container.podUid);
      throw new RuntimeError("failed", behaviour.startError);
    }
    container.state = { ...container.state, state: "running", startedAtMs: nowMs };
    if (behaviour.runMs !== undefined)
      container.end = { atMs: nowMs + behaviour.runMs, exitCode: behaviour.exitCode ?? 0 };
    this.#armEnd(container);
    this.#changed(container.podUid);
  }

  async stopContainer(containerId: string, graceSeconds: number, signal?: AbortSignal): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container === undefined || container.state.state === "exited") return;
    if (container.state.state !== "running") {
      this.#finish(container, 137);
      return;
    }
    const behaviour = this.#behaviour(container);
    const nowMs = this.#clock.nowMs();
    const graceMs = graceSeconds * 1_000;
    const stopMs = behaviour.stopMs ?? this.#timings.stopMs;
    const killed = behaviour.ignoresTerm === true || stopMs > graceMs;
    const atMs = nowMs + (killed ? graceMs : stopMs);
    if (container.end === undefined || atMs < container.end.atMs)
      container.end = { atMs, exitCode: killed ? 137 : (behaviour.stopExitCode ?? 0) };
    this.#armEnd(container);
    await this.#ended(container, signal);
  }

  async removeContainer(containerId: string): Promise<void> {
    const container = this.#containers.get(containerId);
    if (container === undefined) return;
    if (container.state.state === "running") this.#finish(container, 137);
    this.#containers.delete(containerId);
    this.#changed(container.podUid);
  }

  async exec(containerId: string): Promise<ExecResult> {
    const container = this.#container(containerId);
    if (container.state.state !== "running") throw new RuntimeError("failed", `the container is not running`);
    const { exitCode = 0, stdout = "" } = this.#behaviour(container).exec ?? {};
    return { exitCode, stdout, stderr: "" };
  }

  async listImages(): Promise<readonly ImageRecord[]> {
    return [...this.#images.values()];
  }

  async findImage(reference: string): Promise<ImageRecord | undefined> {
    return this.#images.get(reference);
  }

  async pullImage(reference: string, _credentials: ImageCredentials | undefined, signal: AbortSignal): Promise<string> {
    await this.#clock.sleep(this.#timings.pullMs, signal);
    if (this.#options.hasImage?.(reference) === false)
      throw new RuntimeError("failed", `failed to resolve reference "${reference}": not found`);
    const image = imageOf(reference);
    this.#images.set(reference, image);
    return image.id;
  }

  async openLog(container: LogLocation): Promise<LogFile | undefined> {
    const found = this.#containers.get(container.id);
    if (found === undefined || found.state.startedAtMs === 0) return undefined;
    const untilMs = () => (found.state.state === "running" ? this.#clock.nowMs() : found.state.finishedAtMs);
    return new SimulatedLog(this.#behaviour(found), found.state.startedAtMs, untilMs);
  }

  async rotateLog(): Promise<void> {}

  #container(containerId: string): SimulatedContainer {
    const container = this.#containers.get(containerId);
    if (container === undefined) throw new RuntimeError("not-found", `no container ${containerId}`);
    return container;
  }

  #behaviour(container: SimulatedContainer): Behaviour {
    const annotations = this.#sandboxes.get(container.state.sandboxId)?.spec.annotations ?? {};
    return behaviourOf(annotations, container.spec.name, container.spec.attempt);
  }

  #armEnd(container: SimulatedContainer): void {
    const { end } = container;
    if (end === undefined) return;
    this.#endings.get(container.state.id)?.cancel();
    const finish = () => this.#finish(container, end.exitCode);
    this.#endings.set(container.state.id, this.#clock.after(end.atMs - this.#clock.nowMs(), finish));
  }

  #finish(container: SimulatedContainer, exitCode: number): void {
    const { id } = container.state;
    this.#endings.get(id)?.cancel();
    this.#endings.delete(id);
    if (container.state.state === "exited") return;
    const message = this.#behaviour(container).terminationMessage ?? "";
    const reason = exitCode === 0 ? "Completed" : "Error";
    const finishedAtMs = this.#clock.nowMs();
    container.state = { ...container.state, state: "exited", finishedAtMs, exitCode, reason, message };
    for (const resolve of this.#waiting.get(id) ?? []) resolve();
    this.#waiting.delete(id);
    this.#changed(container.podUid);
  }

  #ended(container: SimulatedContainer, signal: AbortSignal | undefined): Promise<void> {
    if (container.state.state === "exited") return Promise.resolve();
    return new Promise((resolve, reject) => {
      const { id } = container.state;
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve]);
      const abort = () => reject(new RuntimeError("timeout", "stopping was given up", { cause: signal?.reason }));
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  }

  #changed(podUid: string): void {
    this.#options.state?.save(this.#sandboxes, this.#containers, podUid);
    for (const listener of this.#listeners) listener(podUid);
  }

  async #delay(delayMs: number): Promise<void> {
    if (delayMs > 0) await this.#clock.sleep(delayMs);
  }

  #newId(): string {
    return Buffer.from(this.#random.bytes(32)).toString("hex");
  }
}

function imageOf(reference: string): ImageRecord {
  const digest = `sha256:${Buffer.from(reference).toString("hex").padEnd(64, "0").slice(0, 64)}`;
  const repository = reference.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
  return {
    id: digest,
    tags: [reference],
    digests: [`${repository}@${digest}`],
    sizeBytes: 1_000_000,
    user: undefined,
  };
}
