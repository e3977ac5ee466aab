import type { ApiClient } from "../../lib/client/api-client.ts";
import { type Clock, formatMicroTime } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { Lease } from "../../lib/gen/k8s/coordination/v1.ts";
import type { Node } from "../../lib/gen/k8s/core/v1.ts";
import { leases } from "../../lib/gen/k8s/resources.ts";

const NAMESPACE = "kube-node-lease";
const DURATION_SECONDS = 40;
const RENEW_MS = 10_000;
const RETRY_MS = 1_000;

/** Tells that the node is alive: renews its Lease every 10 s (KEP-589). */
export class NodeLease implements Startable {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #node: Node;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;

  constructor(components: { api: ApiClient; clock: Clock; log: Log }, node: Node) {
    this.#api = components.api;
    this.#clock = components.clock;
    this.#log = components.log;
    this.#node = node;
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    let held: Lease | undefined;
    while (!signal.aborted) {
      let waitMs = RENEW_MS;
      try {
        held = await this.#renew(held);
      } catch (error) {
        held = undefined;
        waitMs = RETRY_MS;
        this.#log.warn("node lease not renewed", { error });
      }
      await this.#clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  async #renew(held: Lease | undefined): Promise<Lease> {
    const name = this.#node.metadata?.name ?? "";
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: DURATION_SECONDS,
      renewTime: formatMicroTime(this.#clock.nowMs()),
    };
    const current = held ?? (await this.#read(name));
    if (current !== undefined)
      return await this.#api.update(leases, { ...current, spec: { ...current.spec, ...spec } });
    const uid = this.#node.metadata?.uid ?? "";
    const owner = { apiVersion: "v1", kind: "Node", name, uid };
    const metadata = { name, namespace: NAMESPACE, ownerReferences: [owner] };
    return await this.#api.create(leases, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec });
  }

  async #read(name: string): Promise<Lease | undefined> {
    try {
      return await this.#api.get(leases, { namespace: NAMESPACE, name });
    } catch (thrown) {
      if (thrown instanceof StatusError && thrown.code === 404) return undefined;
      throw thrown;
    }
  }
}
