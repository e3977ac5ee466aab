import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Changes } from "../../lib/client/changes.ts";
import { EventRecorder } from "../../lib/controller/event-recorder.ts";
import { InformerSet } from "../../lib/controller/informer-set.ts";
import { LeaderRole, type LeadershipOptions } from "../../lib/controller/leader-role.ts";
import type { QueueMetrics } from "../../lib/controller/work-queue.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { CONTROLLERS } from "./controllers.ts";
import type { ManagerContext, ResourceCatalog, SigningKeys } from "./manager-context.ts";

export interface ControllerManagerComponents {
  readonly api: ApiClient;
  /** How informers hear of changes; default: by watch. */
  readonly changes?: Changes;
  /** Which resources a namespace may hold and what owners there are. */
  readonly registry: ResourceCatalog;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: QueueMetrics;
}

export interface ControllerManagerOptions extends LeadershipOptions {
  /** The authorities that pods trust for the API server, as PEM. */
  readonly rootCaPem: string;
  /** Authorities that it may sign with. */
  readonly signing?: SigningKeys;
  /** Names of `controllers.ts`; all unless told. */
  readonly controllers?: readonly string[];
}

/** Runs the controllers of `controllers.ts` while it holds the Lease `kube-system/kube-controller-manager`. */
export class ControllerManager implements Startable {
  private readonly components: ControllerManagerComponents;
  private readonly options: ControllerManagerOptions;
  private readonly role: LeaderRole;

  constructor(components: ControllerManagerComponents, options: ControllerManagerOptions) {
    this.components = components;
    this.options = options;
    const leaseName = "kube-controller-manager";
    this.role = new LeaderRole(components, { ...options, leaseName }, (api) => this.makeTerm(api));
  }

  get leading(): boolean {
    return this.role.leading;
  }

  async start(): Promise<void> {
    await this.role.start();
  }

  async stop(): Promise<void> {
    await this.role.stop();
  }

  private makeTerm(api: ApiClient): Startable {
    const { clock, random, log, metrics, registry } = this.components;
    const informers = new InformerSet({ ...this.components, api });
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
      signing: this.options.signing ?? {},
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
