import type { ApiClient } from "../../lib/client/api-client.ts";
import type { EventRecorder } from "../../lib/controller/event-recorder.ts";
import type { InformerSet } from "../../lib/controller/informer-set.ts";
import type { QueueMetrics } from "../../lib/controller/work-queue.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import type { ResourceDefinition } from "../../lib/resource/kind.ts";

/** What is known of resources; `lib/resource/registry.ts` has this shape. */
export interface ResourceCatalog {
  resources(): readonly ResourceDefinition[];
}

/**
 * Authorities that the controllers sign with, read when there is something to sign; without one, requests for its
 * certificates wait for somebody else.
 */
export interface SigningKeys {
  /** Of client certificates. */
  readonly client?: () => Promise<KeyPair>;
  /** Of the kubelets' serving certificates. */
  readonly kubelet?: () => Promise<KeyPair>;
}

/** What every controller is made from, for one term of a leader. */
export interface ManagerContext {
  /** Every write is fenced by the leader's lease. */
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: QueueMetrics;
  readonly informers: InformerSet;
  readonly catalog: ResourceCatalog;
  readonly rootCaPem: string;
  readonly signing: SigningKeys;
  /** Events with this source, as upstream names it: `node-controller`, `replicaset-controller`. */
  recorder(component: string): EventRecorder;
}

/** Makes one controller; it asks for its informers here and reads them after they have started. */
export type ControllerFactory = (context: ManagerContext) => Startable;
