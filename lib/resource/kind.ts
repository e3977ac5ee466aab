import type { MessageSchema } from "./schema.ts";

/** Everything that machinery knows of one REST resource; built-ins and extensions have the same record. */
export interface ResourceDefinition {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Plural, lower case: the path segment. */
  readonly resource: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly SubresourceDefinition[];
  readonly columns: readonly ColumnDefinition[];
  readonly storage: StorageDefinition;
  /** Field selectors beside metadata.name and metadata.namespace, as JSON paths (`spec.nodeName`). */
  readonly selectableFields: readonly string[];
  /** Values never ride the bus and never reach logs. */
  readonly sensitive: boolean;
  /** Names must be of this form. */
  readonly nameFormat: "dns-subdomain" | "dns-label" | "path-segment";
  /** JSON paths that an update may not change. */
  readonly immutablePaths: readonly string[];
  /** A change at or below one of these JSON paths adds 1 to metadata.generation; empty: this kind does not count. */
  readonly generationPaths: readonly string[];
  /** An update (PUT) of an absent object creates it. */
  readonly createOnUpdate: boolean;
  /** An update must carry metadata.resourceVersion. */
  readonly conditionalUpdate: boolean;
  /** What a delete without a propagation policy does with dependents. */
  readonly defaultPropagation: "background" | "orphan" | "none";
  /** A delete honours grace periods. */
  readonly gracefulDelete: boolean;
  /** What create sets as status, whatever was sent (normal form); undefined: the status sent is kept. */
  readonly initialStatus?: Readonly<Record<string, unknown>>;
  /** Names that field selectors accept, to the path that they mean in the stored object. */
  readonly fieldAliases: ReadonlyMap<string, string>;
  readonly hasStatus: boolean;
  /** False for kinds that are asked, never stored (TokenReview, ComponentStatus). */
  readonly stored: boolean;
  readonly schema: MessageSchema;
  readonly listSchema: MessageSchema | undefined;
  /** Base64 hash that discovery shows. */
  readonly storageVersionHash: string;
}

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

export interface SubresourceDefinition {
  /** `status`, `log`, `binding`. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly verbs: readonly Verb[];
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format: string;
  /** 0 shows always, 1 with -o wide only. */
  readonly priority: number;
  readonly description: string;
  /** JSON names joined by dots; empty where a hook of the kind makes the cell. A time gives the age. */
  readonly path: string;
}

export interface StorageDefinition {
  /** Key segment after `/registry/`, `minions` for nodes. */
  readonly prefix: string;
  /** apiVersion of the stored form. */
  readonly group: string;
  readonly version: string;
  /** Seconds after which the store forgets an object; 0: never. */
  readonly ttlSeconds: number;
}

/** Names one resource; the generated constants carry the object's type. */
export interface ResourceRef<T = unknown> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly namespaced: boolean;
  /** Type only; never set. */
  readonly object?: T;
}
