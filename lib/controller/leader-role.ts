import type { ApiClient } from "../client/api-client.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { Startable } from "../core/startable.ts";
import { FencedApi } from "./fenced-api.ts";
import { LeaderElector, type LeaseTimes } from "./leader-elector.ts";

export interface LeadershipOptions {
  /** Unique per process start: the holder of the Lease. */
  readonly identity: string;
  /** False works without a Lease: only where nothing else can do this work. */
  readonly leaderElect?: boolean;
  readonly lease?: LeaseTimes;
  /** Told when leadership was lost, so that a process of this role alone can exit. */
  readonly onLost?: () => void;
}

/** Work that one of several replicas does: a term of it is made for each time of leading, with an API of fenced writes. */
export class LeaderRole implements Startable {
  private readonly api: ApiClient;
  private readonly makeTerm: (api: ApiClient) => Startable;
  private readonly elector: LeaderElector | undefined;
  private term: Startable | undefined;

  /** `leaseName`: of the Lease in kube-system. */
  constructor(
    components: { api: ApiClient; clock: Clock; random: Random; log: Log },
    options: LeadershipOptions & { readonly leaseName: string },
    makeTerm: (api: ApiClient) => Startable,
  ) {
    this.api = components.api;
    this.makeTerm = makeTerm;
    if (options.leaderElect === false) return;
    const { leaseName, identity, lease, onLost } = options;
    this.elector = new LeaderElector(
      components,
      {
        namespace: "kube-system",
        name: leaseName,
        identity,
        ...lease,
        ...(onLost === undefined ? {} : { onLost }),
      },
      async (fence, signal) => {
        await this.begin(new FencedApi(components.api, fence));
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        await this.end();
      },
    );
  }

  get leading(): boolean {
    return this.elector?.leading ?? this.term !== undefined;
  }

  async start(): Promise<void> {
    if (this.elector === undefined) await this.begin(this.api);
    else await this.elector.start();
  }

  async stop(): Promise<void> {
    await this.elector?.stop();
    await this.end();
  }

  private async begin(api: ApiClient): Promise<void> {
    this.term = this.makeTerm(api);
    await this.term.start();
  }

  private async end(): Promise<void> {
    const { term } = this;
    this.term = undefined;
    await term?.stop();
  }
}
