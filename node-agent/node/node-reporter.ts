import type { ApiClient } from "../../lib/client/api-client.ts";
import type { EventRecorder } from "../../lib/controller/event-recorder.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { OBJECT_MODIFIED, StatusError } from "../../lib/core/status-error.ts";
import type { Node, NodeStatus } from "../../lib/gen/k8s/core/v1.ts";
import { nodes } from "../../lib/gen/k8s/resources.ts";
import type { Runtime, RuntimeHealth, RuntimeVersion } from "../runtime/runtime.ts";
import type { Machine } from "./machine.ts";
import { type NodeFacts, type NodeIdentity, newNode, nodeLabels, nodeStatusOf } from "./node-object.ts";

const CHECK_MS = 10_000;
const CHECK_UNREADY_MS = 1_000;
/** A status that did not change is written again after this long. */
const REPEAT_MS = 5 * 60_000;
const REGISTER_RETRY_MS = 500;
/** A runtime that does not answer is called dead after this long (RELIABILITY F13). */
const RUNTIME_PATIENCE_MS = 180_000;

/** Makes the Node object and keeps its status true. */
export class NodeReporter implements Startable {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #runtime: Runtime;
  readonly #events: EventRecorder;
  readonly #identity: NodeIdentity;
  readonly #machine: Machine;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;
  #node: Node | undefined;
  #version: RuntimeVersion = { name: "unknown", version: "unknown" };
  #lastHealth: { readonly health: RuntimeHealth; readonly atMs: number } | undefined;
  #lastWriteMs = 0;

  constructor(
    components: { api: ApiClient; clock: Clock; log: Log; runtime: Runtime; events: EventRecorder; machine: Machine },
    identity: NodeIdentity,
  ) {
    this.#api = components.api;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#runtime = components.runtime;
    this.#events = components.events;
    this.#machine = components.machine;
    this.#identity = identity;
  }

  /** The Node as last written; undefined before it was registered. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** Registers the node, trying until it works, then keeps reporting. */
  async start(): Promise<void> {
    await this.#register();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const isReady = readyStatus(this.#node) === "True";
      await this.#clock.sleep(isReady ? CHECK_MS : CHECK_UNREADY_MS, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#report();
      } catch (error) {
        this.#log.warn("node status not written", { error });
      }
    }
  }

  async #register(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#createOrAdopt();
        return;
      } catch (error) {
        this.#log.warn("node not registered", { error });
        await this.#clock.sleep(REGISTER_RETRY_MS, signal).catch(() => {});
      }
    }
  }

  async #createOrAdopt(): Promise<void> {
    const facts = await this.#facts();
    const wanted = newNode(this.#identity, facts);
    try {
      const created = await this.#api.create(nodes, wanted);
      // A server may leave the status of a new object out.
      this.#node = created.status?.conditions === undefined ? await this.#write(created, wanted.status ?? {}) : created;
    } catch (thrown) {
      if (!(thrown instanceof StatusError) || thrown.reason !== "AlreadyExists") throw thrown;
      const found = await this.#api.get(nodes, { name: this.#identity.nodeName });
      const labels = { ...found.metadata?.labels, ...nodeLabels(this.#identity, this.#machine) };
      const adopted = await this.#api.update(nodes, {
        ...found,
        metadata: { ...found.metadata, labels },
        spec: { ...wanted.spec, ...found.spec },
      });
      this.#node = await this.#write(adopted, nodeStatusOf(adopted.status, this.#identity, facts));
    }
    this.#lastWriteMs = this.#clock.monotonicMs();
    this.#tell("Starting", "Starting kubelet.");
    this.#tellReadiness(this.#node);
  }

  async #report(): Promise<void> {
    const facts = await this.#facts();
    // Read anew: whoever took the node for lost, while it was cut off, has said so in its status.
    const before = await this.#api.get(nodes, { name: this.#identity.nodeName });
    this.#node = before;
    const status = nodeStatusOf(before.status, this.#identity, facts);
    const quietMs = this.#clock.monotonicMs() - this.#lastWriteMs;
    if (quietMs < REPEAT_MS && sameButForHeartbeat(before.status, status)) return;
    this.#node = await this.#write(before, status);
    this.#lastWriteMs = this.#clock.monotonicMs();
    if (readyStatus(before) !== readyStatus(this.#node)) this.#tellReadiness(this.#node);
  }

  async #write(node: Node, status: NodeStatus): Promise<Node> {
    try {
      return await this.#api.update(nodes, { ...node, status }, { subresource: "status" });
    } catch (thrown) {
      if (!(thrown instanceof StatusError) || thrown.code !== 409 || !thrown.message.includes(OBJECT_MODIFIED))
        throw thrown;
      const current = await this.#api.get(nodes, { name: this.#identity.nodeName });
      return await this.#api.update(
        nodes,
        { ...current, status: { ...current.status, ...status } },
        { subresource: "status" },
      );
    }
  }

  async #facts(): Promise<NodeFacts> {
    const health = await this.#health();
    const images = health.runtimeReady ? await this.#runtime.listImages().catch(() => []) : [];
    const machine = this.#machine;
    const pressures = await machine.pressures();
    return { machine, runtime: this.#version, health, pressures, images, nowMs: this.#clock.nowMs() };
  }

  /** A runtime that was well and does not answer for a moment is not dead yet. */
  async #health(): Promise<RuntimeHealth> {
    const nowMs = this.#clock.monotonicMs();
    try {
      if (this.#version.name === "unknown") this.#version = await this.#runtime.version();
      const health = await this.#runtime.health();
      this.#lastHealth = { health, atMs: nowMs };
      return health;
    } catch (thrown) {
      const last = this.#lastHealth;
      if (last !== undefined && nowMs - last.atMs < RUNTIME_PATIENCE_MS) return last.health;
      const message = `container runtime is down: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
      return { runtimeReady: false, networkReady: false, message };
    }
  }

  #tell(reason: string, message: string): void {
    const name = this.#identity.nodeName;
    const uid = this.#node?.metadata?.uid;
    const about = { apiVersion: "v1", kind: "Node", name, ...(uid === undefined ? {} : { uid }) };
    this.#events.record(about, "Normal", reason, message);
  }

  #tellReadiness(node: Node | undefined): void {
    const name = this.#identity.nodeName;
    const reason = readyStatus(node) === "True" ? "NodeReady" : "NodeNotReady";
    this.#tell(reason, `Node ${name} status is now: ${reason}`);
  }
}

function readyStatus(node: Node | undefined): string | undefined {
  return node?.status?.conditions?.find((condition) => condition.type === "Ready")?.status;
}

function sameButForHeartbeat(a: NodeStatus | undefined, b: NodeStatus): boolean {
  return a !== undefined && plain(a) === plain(b);
}

function plain(status: NodeStatus): string {
  const conditions = (status.conditions ?? []).map(({ lastHeartbeatTime: _heartbeat, ...rest }) => sorted(rest)).sort();
  return sorted({ ...status, conditions });
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)));
  });
}
