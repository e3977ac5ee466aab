/** One object's newest state, or its deletion. */
export interface ObjectChange<T> {
  readonly revision: number;
  readonly operation: "put" | "delete";
  readonly namespace: string;
  readonly name: string;
  /** Of a deletion: how it was, where that is told. */
  readonly object: T | undefined;
}

/** What the API tells a follower: whole revisions. */
export interface SourceBatch<T> {
  readonly changes: readonly ObjectChange<T>[];
  /** Nothing up to and including this revision is left to be told. */
  readonly throughRevision: number;
  /** Everything was told that the store held when the source was asked. */
  readonly isCurrent: boolean;
}

/** The API as a follower asks it: gRPC, where access is decided. */
export interface StreamSource<T> {
  /**
   * Changes after `fromRevision`, in order, until `signal` is aborted. Fails with 410 when history does not reach back, or the
   * store has no such revision; with anything else while the API cannot be reached.
   */
  follow(fromRevision: number, signal: AbortSignal): AsyncIterable<SourceBatch<T>>;
}

/** Where what is proven goes; called synchronously, must not throw. */
export interface StreamSink<T> {
  /** Whole revisions, in order, none twice; with no changes where only the revision is new. */
  apply(changes: readonly ObjectChange<T>[], throughRevision: number): void;
}
