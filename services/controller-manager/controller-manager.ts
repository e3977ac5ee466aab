import type { ApiClient } from "../../lib/client/api-client.ts";
import { EventRecorder } from "../../lib/controller/event-recorder.ts";
import { FencedApi } from "../../lib/controller/fenced-api.ts";
import { InformerSet } from "../../lib/controller/informer-set.ts";
import { LeaderElector } from "../../lib/controller/leader-elector.ts";
import type { QueueMetrics } from "../../lib/controller/work-queue.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { CONTROLLERS } from "./controllers.ts";
import type { ManagerContext, ResourceCatalog } from "./manager-context.ts";

export interface ControllerManagerComponents {
  readonly api: ApiClient;
  /** Which resources a namespace may hold and what owners there are. */
  readonly registry: ResourceCatalog;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: QueueMetrics;
}

export interface ControllerManagerOptions {
  /** The authorities that pods trust for the API server, as PEM. */
  readonly rootCaPem: string;
  /** Unique per process start: the holder of the Lease `kube-system/kube-controller-manager`. */
  readonly identity: string;
  /** False runs without a Lease: only where no other can run. */
  readonly leaderElect?: boolean;
  /** Names of `controllers.ts`; all unless told. */
  readonly controllers?: readonly string[];
  /** Told when leadership was lost, so that a process of this role alone can exit. */
  readonly onLost?: () => void;
}

/** Runs the controllers of `controllers.ts` while it leads. */
export class ControllerManager implements Startable {
  private readonly components: ControllerManagerComponents;
  private readonly options: ControllerManagerOptions;
  private readonly elector: LeaderElector | undefined;
  private term: Startable | undefined;

  constructor(components: ControllerManagerComponents, options: ControllerManagerOptions) {
    this.components = components;
    this.options = options;
    if (options.leaderElect === false) return;
    this.elector = new LeaderElector(
      components,
      {
        namespace: "kube-system",
        name: "kube-controller-manager",
        identity: options.identity,
        ...(options.onLost === undefined ? {} : { onLost: options.onLost }),
      },
      async (fence, signal) => {
        const term = this.makeTerm(new FencedApi(components.api, fence));
        await term.start();
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        await term.stop();
      },
    );
  }

  get leading(): boolean {
    return this.elector?.leading ?? this.term !== undefined;
  }

  async start(): Promise<void> {
    if (this.elector !== undefined) {
      await this.elector.start();
      return;
    }
    this.term = this.makeTerm(this.components.api);
    await this.term.start();
  }

  async stop(): Promise<void> {
    await this.elector?.stop();
    await this.term?.stop();
    this.term = undefined;
  }

  private makeTerm(api: ApiClient): Startable {
    const { clock, random, log, metrics, registry } = this.components;
    const informers = new InformerSet({ api, clock, random, log });
    const recorders = new Map<string, EventRecorder>();
    const context: ManagerContext = {
      api,
      clock,
      random,
      log,
      ...(metrics === undefined ? {} : { metrics }),
      informers,
      catalog: registry,
      rootCaPem: this.options.rootCaPem,
      recorder: (component) => {
        const recorder = recorders.get(component) ?? new EventRecorder({ api, clock, log }, { component });
        recorders.set(component, recorder);
        return recorder;
      },
    };
    const wanted = this.options.controllers;
    const controllers = CONTROLLERS.filter(([name]) => wanted?.includes(name) ?? true).map(([, make]) => make(context));
    const parts: Startable[] = [...recorders.values(), ...controllers, informers];
    return {
      start: async () => {
        for (const part of parts) await part.start();
      },
      stop: async () => {
        await informers.stop();
        await Promise.all(controllers.map((controller) => controller.stop()));
        await Promise.all([...recorders.values()].map((recorder) => recorder.stop()));
      },
    };
  }
}
