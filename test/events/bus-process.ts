import { expect } from "vitest";
import type { ApiClient, WatchOptions } from "../../lib/client/api-client.ts";
import { type ApiObject, keyOf } from "../../lib/client/api-object.ts";
import { GrpcApiClient } from "../../lib/client/grpc-api-client.ts";
import { Informer, type InformerOptions } from "../../lib/controller/informer.ts";
import { silentLog } from "../../lib/core/log.ts";
import { BusChanges } from "../../lib/events/bus-changes.ts";
import type { FollowerCounts } from "../../lib/events/follower-counts.ts";
import { NatsBus } from "../../lib/events/nats/nats-bus.ts";
import { FaultyBus } from "../../lib/events/testkit/faulty-bus.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import type { ResourceRef } from "../../lib/resource/kind.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import type { ApiFixture } from "../api/api-fixture.ts";
import { eventually } from "../kit/eventually.ts";

const registry = loadRegistry(kindDescriptors);

export function natsBus(address: string, name: string): NatsBus {
  const options = { servers: [address], name, reconnectDelayMs: 50 };
  return new NatsBus({ clock: realClock, log: silentLog }, options);
}

/** What a role's process has: the API over gRPC, the bus over NATS with faults, and informers. */
export class BusProcess {
  readonly bus: FaultyBus;
  readonly changes: BusChanges;
  readonly api: ApiClient;
  readonly #channel: GrpcChannel;
  readonly #informers: Informer<ApiObject>[] = [];
  readonly #openWatches = new Map<string, number>();

  constructor(fixture: ApiFixture, natsAddress: string) {
    const { serverCaPem: caPem, admin } = fixture;
    this.#channel = new GrpcChannel({
      target: `localhost:${fixture.api.grpcPort}`,
      tls: { caPem, certPem: admin.certPem, keyPem: admin.keyPem },
    });
    this.api = this.#counting(new GrpcApiClient({ channel: this.#channel, registry }));
    const bus = natsBus(natsAddress, "process");
    this.bus = new FaultyBus({ bus, clock: realClock, random: realRandom });
    const components = { api: this.api, bus: this.bus, registry, clock: realClock, log: silentLog };
    this.changes = new BusChanges({ ...components, membership: () => fixture.api.membership() });
  }

  /** How many watches of the resource are open now. */
  openWatches(resource: string): number {
    return this.#openWatches.get(resource) ?? 0;
  }

  counts(stream: string): FollowerCounts | undefined {
    return this.changes.counts.get(stream);
  }

  /** Synced, and with nothing but the bus to hear from where it can be heard by bus. */
  async follow<T extends ApiObject>(
    ref: ResourceRef<T>,
    options: InformerOptions<T> & { readonly byWatch?: boolean } = {},
  ): Promise<Informer<T>> {
    const { byWatch = false, ...selection } = options;
    const components = { api: this.api, changes: this.changes, clock: realClock, random: realRandom, log: silentLog };
    const informer = new Informer(components, ref, selection);
    this.#informers.push(informer as unknown as Informer<ApiObject>);
    await informer.start();
    await informer.whenSynced();
    // Each begins with a watch, which ends when the first heads are heard.
    await eventually(() => expect(this.#openWatches.get(ref.resource)).toBe(byWatch ? 1 : 0));
    return informer;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#informers.map((informer) => informer.stop()));
    await this.bus.stop();
    this.#channel.close();
  }

  #counting(api: ApiClient): ApiClient {
    const counts = this.#openWatches;
    async function* watch<T>(ref: ResourceRef<T>, options: WatchOptions) {
      counts.set(ref.resource, (counts.get(ref.resource) ?? 0) + 1);
      try {
        yield* api.watch(ref, options);
      } finally {
        counts.set(ref.resource, counts.get(ref.resource)! - 1);
      }
    }
    return new Proxy(api, {
      get: (target, member: keyof ApiClient) => (member === "watch" ? watch : target[member].bind(target)),
    });
  }
}

/** The informer holds what the API holds, object by object. */
export async function expectEqual<T extends ApiObject>(
  informer: Informer<T>,
  api: ApiClient,
  options = {},
): Promise<void> {
  await eventually(async () => {
    const { items } = await api.list(informer.ref, options);
    const byKey = (objects: readonly T[]) => new Map(objects.map((object) => [keyOf(object), object]));
    expect(byKey(informer.store.list())).toEqual(byKey(items));
  });
}
