import type { Change } from "./envelope.ts";

/** One object's newest state, or its deletion. */
export type ObjectChange = Pick<Change, "revision" | "operation" | "namespace" | "name" | "encoding" | "object">;

/** Everything that happened to a stream up to and including `throughRevision`, which is the store's at the time asked or newer. */
export interface Answer {
  readonly changes: readonly ObjectChange[];
  readonly throughRevision: number;
}

/** The API as a follower asks it: gRPC, where access is decided. Rejects while it cannot be reached. */
export interface StreamSource {
  /** Changes after `fromRevision`, in order; undefined when history does not reach back (`410`). */
  resume(fromRevision: number, signal: AbortSignal): Promise<Answer | undefined>;
  /** Every object, as puts. */
  list(signal: AbortSignal): Promise<Answer>;
}

/** Where what is proven goes; called synchronously, must not throw. */
export interface StreamSink {
  /** One or more whole revisions, in order. */
  apply(changes: readonly ObjectChange[], throughRevision: number): void;
  /** Whatever is not among `objects` is gone. */
  replace(objects: readonly ObjectChange[], throughRevision: number): void;
}
