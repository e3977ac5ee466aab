import type { ResourceDefinition, Verb } from "./kind.ts";
import type { Registry } from "./registry.ts";

/** Methods of the pattern, `keelson.kind.v1.KindService`. */
export type PatternMethod =
  | "get"
  | "list"
  | "watch"
  | "create"
  | "createAt"
  | "update"
  | "patch"
  | "apply"
  | "delete"
  | "deleteCollection";

/** The service that a kind has of its own; which methods it has follows from the kind's verbs and subresources. */
export interface TypedService {
  /** `keelson.api.core.v1` */
  readonly packageName: string;
  /** `PodService` */
  readonly name: string;
  readonly definition: ResourceDefinition;
  readonly methods: readonly TypedMethod[];
}

export interface TypedMethod {
  /** `UpdateStatus` */
  readonly name: string;
  readonly pattern: PatternMethod;
  /** Empty for the object itself. */
  readonly subresource: string;
  /** What the objects of its messages are. */
  readonly apiVersion: string;
  readonly kind: string;
  /** Full protobuf name of that kind's message. */
  readonly message: string;
}

const OBJECT_METHODS: Readonly<Record<Verb, readonly PatternMethod[]>> = {
  get: ["get"],
  list: ["list"],
  watch: ["watch"],
  create: ["create"],
  update: ["update"],
  patch: ["patch", "apply"],
  delete: ["delete"],
  deletecollection: ["deleteCollection"],
};

const SUBRESOURCE_METHODS: Readonly<Partial<Record<Verb, readonly PatternMethod[]>>> = {
  get: ["get"],
  create: ["createAt"],
  update: ["update"],
  patch: ["patch", "apply"],
};

const ORDER: readonly Verb[] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/** What goes through these is a stream of bytes, not objects: REST alone has them. */
const STREAMED = new Set(["attach", "exec", "log", "portforward", "proxy"]);

/** Of a kind in the package `k8s.io.api.core.v1`, `keelson.api.core.v1.<Kind>Service`. Throws when the registry lacks a subresource's kind. */
export function typedServiceOf(definition: ResourceDefinition, registry: Registry): TypedService {
  const { schema, kind, group, version } = definition;
  const scope = schema.name.slice(0, schema.name.lastIndexOf("."));
  const own = { apiVersion: apiVersionOf(group, version), kind, message: schema.name, subresource: "" };
  const methods: TypedMethod[] = ordered(definition.verbs).flatMap((verb) =>
    OBJECT_METHODS[verb].map((pattern) => ({ ...own, pattern, name: capital(pattern) })),
  );
  for (const subresource of definition.subresources) {
    if (STREAMED.has(subresource.name)) continue;
    const message = registry.schemaOfKind(subresource.group, subresource.version, subresource.kind)?.name;
    if (message === undefined) throw new Error(`no message for ${definition.resource}/${subresource.name}`);
    const apiVersion = apiVersionOf(subresource.group, subresource.version);
    const body = { apiVersion, kind: subresource.kind, message, subresource: subresource.name };
    for (const pattern of ordered(subresource.verbs).flatMap((verb) => SUBRESOURCE_METHODS[verb] ?? [])) {
      const verb = pattern === "createAt" ? "create" : pattern;
      methods.push({ ...body, pattern, name: capital(verb) + capital(subresource.name) });
    }
  }
  return {
    packageName: `keelson.api.${scope.replace(/^k8s\.io\.api\./, "")}`,
    name: `${kind}Service`,
    definition,
    methods,
  };
}

function ordered(verbs: readonly Verb[]): Verb[] {
  return ORDER.filter((verb) => verbs.includes(verb));
}

function apiVersionOf(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}

function capital(text: string): string {
  return `${text[0]?.toUpperCase()}${text.slice(1)}`;
}
