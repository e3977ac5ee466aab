import type { ApiClient } from "../client/api-client.ts";
import { type ApiObject, joinKey } from "../client/api-object.ts";
import { type ChangeHearer, type Changes, type ObjectSelection, WatchChanges } from "../client/changes.ts";
import { deepFreeze } from "../client/deep-freeze.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { Codec } from "../resource/codec/codec.ts";
import type { ResourceDefinition, ResourceRef } from "../resource/kind.ts";
import type { Registry } from "../resource/registry.ts";
import type { Bus } from "./bus.ts";
import type { Change } from "./envelope.ts";
import { FollowerCounts } from "./follower-counts.ts";
import { decodeStored } from "./stored-object.ts";
import { StreamFollower } from "./stream-follower.ts";
import type { StreamSink } from "./stream-source.ts";
import { type StreamIdentity, streamName } from "./subjects.ts";
import { WatchSource } from "./watch-source.ts";

/** Where on the bus the changes of a cluster are. */
export interface BusMembership {
  readonly cluster: string;
  readonly epoch: string;
}

export interface BusChangesComponents {
  /** Lists are its readers' own; here it is asked what the bus did not tell. */
  readonly api: ApiClient;
  /** Belongs to the caller, who starts and stops it. */
  readonly bus: Bus;
  readonly registry: Registry;
  /**
   * Asks an api-server, each time, since the store can be restored under a running process (and has `bus` hear what it
   * then may); undefined: this process hears nothing on the bus. Asked at most every few seconds.
   */
  readonly membership: () => Promise<BusMembership | undefined>;
  readonly clock: Clock;
  readonly log: Log;
}

const MEMBERSHIP_MS = 5_000;
const NODE_SELECTOR = /^spec\.nodeName=([^,!=]+)$/;

/**
 * Changes by the bus, proven, with the API's watch where the bus is silent or told too little. Always by watch: sensitive
 * kinds, served versions that are not the stored one, and selections that are no stream (pods of one node are).
 */
export class BusChanges implements Changes {
  /** By name of the stream. */
  readonly counts = new Map<string, FollowerCounts>();
  readonly #components: BusChangesComponents;
  readonly #byWatch: WatchChanges;
  readonly #codec = new Codec();
  #asked: { readonly atMs: number; readonly answer: Promise<BusMembership | undefined> } | undefined;

  constructor(components: BusChangesComponents) {
    this.#components = components;
    this.#byWatch = new WatchChanges(components);
  }

  async follow<T extends ApiObject>(
    ref: ResourceRef<T>,
    selection: ObjectSelection,
    from: string,
    hearer: ChangeHearer<T>,
    signal: AbortSignal,
  ): Promise<void> {
    const { api, bus, clock, log, registry } = this.#components;
    const definition = registry.resource(ref.group, ref.version, ref.resource);
    const stream = streamOf(definition, selection);
    const membership = stream === undefined ? undefined : await this.#membership();
    if (definition === undefined || stream === undefined || membership === undefined) {
      await this.#byWatch.follow(ref, selection, from, hearer, signal);
      return;
    }
    const { cluster, epoch } = membership;
    const follower = new StreamFollower<T>(
      {
        ...{ bus, clock, log, counts: this.#countsOf(streamName(stream)) },
        source: new WatchSource({ api }, ref, selection),
        sink: sinkOf(hearer),
        decode: (change: Change) => deepFreeze(decodeStored(this.#codec, definition, change)) as T,
        isOurEpoch: async () => (await this.#membership())?.epoch === epoch,
      },
      { cluster, epoch, stream },
    );
    await follower.run(Number(from), signal);
  }

  #countsOf(stream: string): FollowerCounts {
    const counts = this.counts.get(stream) ?? new FollowerCounts();
    this.counts.set(stream, counts);
    return counts;
  }

  /** One question for all followers of the process. */
  #membership(): Promise<BusMembership | undefined> {
    const nowMs = this.#components.clock.monotonicMs();
    if (this.#asked === undefined || nowMs - this.#asked.atMs >= MEMBERSHIP_MS) {
      const asked = { atMs: nowMs, answer: this.#components.membership() };
      asked.answer.catch(() => {
        if (this.#asked === asked) this.#asked = undefined;
      });
      this.#asked = asked;
    }
    return this.#asked.answer;
  }
}

/** Undefined: not by the bus. */
function streamOf(definition: ResourceDefinition | undefined, selection: ObjectSelection): StreamIdentity | undefined {
  if (definition === undefined || definition.sensitive || !definition.stored) return undefined;
  const { group, resource, version, storage } = definition;
  if (storage.group !== group || storage.version !== version) return undefined;
  const { namespace, labelSelector, fieldSelector = "" } = selection;
  if (namespace !== undefined || labelSelector !== undefined) return undefined;
  if (fieldSelector === "") return { group, resource };
  const node = NODE_SELECTOR.exec(fieldSelector)?.[1];
  return node === undefined || storage.prefix !== "pods" ? undefined : { group, resource, node };
}

function sinkOf<T>(hearer: ChangeHearer<T>): StreamSink<T> {
  return {
    apply(changes, throughRevision) {
      for (const { operation, namespace, name, object } of changes) {
        if (operation === "delete" || object === undefined) hearer.deleted(joinKey(namespace, name), object);
        else hearer.put(object);
      }
      hearer.reached(String(throughRevision));
    },
  };
}
