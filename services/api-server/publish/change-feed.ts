import { type Change, type EventMessage, MAX_OBJECT_BYTES } from "../../../lib/events/envelope.ts";
import { type StreamIdentity, type Subjects, streamName } from "../../../lib/events/subjects.ts";
import { hasEnvelope } from "../../../lib/resource/codec/envelope.ts";
import type { StoreEvent } from "../../../lib/store/store.ts";
import { parseKey } from "../cache/registry-key.ts";
import type { StoredKind } from "../core/stored-kind.ts";

export interface OutgoingEvent {
  readonly subject: string;
  readonly message: EventMessage;
}

/** A change without what is only known when its whole revision is. */
interface StreamChange {
  readonly stream: StreamIdentity;
  readonly change: Omit<Change, "stream" | "previousRevision" | "part" | "parts">;
}

const NOTHING = new Uint8Array();

/** Turns what the store's watch tells into messages of the bus, with the proof that hearers need. Sends nothing itself. */
export class ChangeFeed {
  readonly #kinds: ReadonlyMap<string, StoredKind>;
  readonly #subjects: Subjects;
  readonly #epoch: string;
  /** The last revision of each stream since `#knownFrom`. */
  readonly #last = new Map<string, number>();
  readonly #changedSinceHeads = new Set<string>();
  readonly #knownFrom: number;
  #headsFrom: number;
  #through: number;

  /** Knows of nothing up to and including `fromRevision`, and is told of everything after it. */
  constructor(
    components: { readonly kinds: ReadonlyMap<string, StoredKind>; readonly subjects: Subjects },
    options: { readonly epoch: string; readonly fromRevision: number },
  ) {
    this.#kinds = components.kinds;
    this.#subjects = components.subjects;
    this.#epoch = options.epoch;
    this.#knownFrom = options.fromRevision;
    this.#headsFrom = options.fromRevision;
    this.#through = options.fromRevision;
  }

  get throughRevision(): number {
    return this.#through;
  }

  /** The messages of whole revisions, in order. */
  *messages(events: readonly StoreEvent[]): Iterable<OutgoingEvent> {
    for (let from = 0; from < events.length; ) {
      const revision = events[from]!.kv.modRevision;
      let to = from;
      while (to < events.length && events[to]!.kv.modRevision === revision) to++;
      const byStream = this.#byStream(events.slice(from, to));
      yield* this.#revision(byStream);
      // Heads tell of whole revisions only, whenever they are asked for.
      for (const stream of byStream.keys()) {
        this.#last.set(stream, revision);
        this.#changedSinceHeads.add(stream);
      }
      this.#through = revision;
      from = to;
    }
  }

  /** The heads since the last ones. */
  heads(): OutgoingEvent {
    const streams = new Map(Array.from(this.#changedSinceHeads, (stream) => [stream, this.#last.get(stream)!]));
    const heads = { afterRevision: this.#headsFrom, throughRevision: this.#through, streams };
    this.#changedSinceHeads.clear();
    this.#headsFrom = this.#through;
    return { subject: this.#subjects.heads(), message: { type: "heads", epoch: this.#epoch, heads } };
  }

  #byStream(events: readonly StoreEvent[]): Map<string, StreamChange[]> {
    const byStream = new Map<string, StreamChange[]>();
    for (const event of events) {
      for (const one of this.#changesOf(event)) {
        const name = streamName(one.stream);
        const known = byStream.get(name);
        if (known === undefined) byStream.set(name, [one]);
        else known.push(one);
      }
    }
    return byStream;
  }

  *#revision(byStream: ReadonlyMap<string, StreamChange[]>): Iterable<OutgoingEvent> {
    for (const [name, changes] of byStream) {
      const previousRevision = this.#last.get(name) ?? this.#knownFrom;
      for (const [part, { stream, change }] of changes.entries()) {
        yield {
          subject: this.#subjects.object(stream, change.namespace, change.name),
          message: {
            type: "change",
            epoch: this.#epoch,
            change: { ...change, stream: name, previousRevision, part, parts: changes.length },
          },
        };
      }
    }
  }

  #changesOf({ type, kv, prevKv }: StoreEvent): StreamChange[] {
    const parsed = parseKey(kv.key, (prefix) => this.#kinds.get(prefix)?.namespaced);
    const kind = parsed === undefined ? undefined : this.#kinds.get(parsed.prefix);
    if (parsed === undefined || kind === undefined) return [];
    const { group, resource, sensitive } = kind.storage.definition;
    const bare = type === "delete" || sensitive || kv.value.length > MAX_OBJECT_BYTES;
    const change: StreamChange["change"] = {
      revision: kv.modRevision,
      operation: type,
      namespace: parsed.namespace,
      name: parsed.name,
      identityOnly: bare && type === "put",
      encoding: bare ? undefined : hasEnvelope(kv.value) ? "protobuf" : "json",
      object: bare ? NOTHING : kv.value,
    };
    const everywhere: StreamChange = { stream: { group, resource }, change };
    const node = nodeOf(kind, type === "put" ? kv.value : (prevKv?.value ?? NOTHING));
    return node === undefined ? [everywhere] : [everywhere, { stream: { group, resource, node }, change }];
  }
}

/** The node that an object belongs to, once it has one, which never changes. */
function nodeOf(kind: StoredKind, value: Uint8Array): string | undefined {
  if (kind.indexField !== "spec.nodeName" || value.length === 0) return undefined;
  try {
    const { nodeName } = (kind.decodeStored(value)["spec"] ?? {}) as { readonly nodeName?: string };
    return nodeName;
  } catch {
    return undefined;
  }
}
