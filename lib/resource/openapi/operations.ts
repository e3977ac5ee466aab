import type { ResourceDefinition, SubresourceDefinition, Verb } from "../kind.ts";
import type { GroupVersionKind } from "./schema-object.ts";

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** One query parameter, or one that stands in the path. */
export interface Parameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly type: "string" | "integer" | "boolean";
  readonly description: string;
}

/** What one method does at one path. */
export interface Operation {
  readonly method: Method;
  readonly operationId: string;
  /** As `x-kubernetes-action` has it. */
  readonly action: string;
  readonly description: string;
  readonly kind: GroupVersionKind;
  readonly parameters: readonly Parameter[];
  /** The body is: the object itself, a patch, DeleteOptions, or none. */
  readonly body: "object" | "patch" | "delete-options" | undefined;
  /** The answer is: the object, a list of them, a Status, or a text. */
  readonly answer: "object" | "list" | "status" | "text";
}

export interface PathItem {
  readonly path: string;
  readonly definition: ResourceDefinition;
  readonly parameters: readonly Parameter[];
  readonly operations: readonly Operation[];
}

const query = (name: string, type: Parameter["type"], description: string): Parameter => ({
  name,
  in: "query",
  type,
  description,
});

const namespaceParameter: Parameter = {
  name: "namespace",
  in: "path",
  type: "string",
  description: "The namespace of the object.",
};
const pretty = query("pretty", "string", "Whether the answer is indented for people.");
const dryRun = query("dryRun", "string", "`All`: everything is done but the write.");
const fieldManager = query("fieldManager", "string", "Who makes the change, for the record of managed fields.");
const fieldValidation = query(
  "fieldValidation",
  "string",
  "What unknown and duplicate fields do: Ignore, Warn or Strict.",
);
const force = query("force", "boolean", "An apply takes over fields that others manage.");
const listParameters = [
  query("allowWatchBookmarks", "boolean", "A watch also sends bookmarks."),
  query("continue", "string", "Where the page before ended."),
  query("fieldSelector", "string", "Which objects, by fields."),
  query("labelSelector", "string", "Which objects, by labels."),
  query("limit", "integer", "How many objects a page has at most."),
  query("resourceVersion", "string", "How old the answer may be."),
  query("resourceVersionMatch", "string", "How resourceVersion is meant."),
  query("sendInitialEvents", "boolean", "A watch starts with the objects that there are."),
  query("timeoutSeconds", "integer", "When a list or watch ends."),
];
const watchParameter = query("watch", "boolean", "Follow changes instead of listing.");
const deleteParameters = [
  dryRun,
  query("gracePeriodSeconds", "integer", "How long the object may take to end."),
  query("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean", "Delete what cannot be read any more."),
  query("orphanDependents", "boolean", "Superseded by propagationPolicy."),
  query("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
];

/** `CoreV1`, `AppsV1`, `CoordinationV1`: how operation ids name a group version. */
function apiIdentifier({ group, version }: { readonly group: string; readonly version: string }): string {
  const name = group === "" ? "core" : (group.split(".")[0] ?? "");
  return `${capital(name)}${capital(version)}`;
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** All paths of a resource, in upstream's form (`/api/v1/namespaces/{namespace}/pods/{name}/status`). */
export function pathItemsOf(definition: ResourceDefinition): PathItem[] {
  const { group, version, resource, namespaced } = definition;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const place = namespaced ? `${root}/namespaces/{namespace}/${resource}` : `${root}/${resource}`;
  const scope = namespaced ? [namespaceParameter] : [];
  const name: Parameter = { name: "name", in: "path", type: "string", description: `Name of the ${definition.kind}.` };
  const items: PathItem[] = [
    { path: place, definition, parameters: [...scope, pretty], operations: collectionOperations(definition) },
    {
      path: `${place}/{name}`,
      definition,
      parameters: [name, ...scope, pretty],
      operations: objectOperations(definition),
    },
    ...definition.subresources.map((subresource) => ({
      path: `${place}/{name}/${subresource.name}`,
      definition,
      parameters: [name, ...scope, pretty],
      operations: subresourceOperations(definition, subresource),
    })),
  ];
  if (namespaced && definition.verbs.includes("list")) {
    const all = operation(definition, "get", "list", "list", { suffix: "ForAllNamespaces", answer: "list" });
    items.push({
      path: `${root}/${resource}`,
      definition,
      parameters: [pretty],
      operations: [{ ...all, parameters: [...listParameters, watchParameter] }],
    });
  }
  return items.filter((item) => item.operations.length > 0);
}

interface OperationExtras {
  readonly suffix?: string;
  readonly parameters?: readonly Parameter[];
  readonly body?: Operation["body"];
  readonly answer?: Operation["answer"];
  readonly kind?: GroupVersionKind;
}

function operation(
  definition: ResourceDefinition,
  method: Method,
  idVerb: string,
  action: string,
  { suffix = "", parameters = [], body, answer = "object", kind }: OperationExtras,
): Operation {
  const { group, version, namespaced } = definition;
  const scope = namespaced && suffix !== "ForAllNamespaces" ? "Namespaced" : "";
  return {
    method,
    operationId: `${idVerb}${apiIdentifier(definition)}${scope}${definition.kind}${suffix}`,
    action,
    description: `${idVerb} ${definition.kind}${suffix === "" ? "" : ` (${suffix})`}`,
    kind: kind ?? { group, version, kind: definition.kind },
    parameters,
    body,
    answer,
  };
}

function collectionOperations(definition: ResourceDefinition): Operation[] {
  const can = (verb: Verb): boolean => definition.verbs.includes(verb);
  const operations: Operation[] = [];
  if (can("list")) {
    const parameters = can("watch") ? [...listParameters, watchParameter] : listParameters;
    operations.push(operation(definition, "get", "list", "list", { parameters, answer: "list" }));
  }
  if (can("create")) {
    const parameters = [dryRun, fieldManager, fieldValidation];
    operations.push(operation(definition, "post", "create", "post", { parameters, body: "object" }));
  }
  if (can("deletecollection")) {
    const parameters = [...listParameters, ...deleteParameters];
    const extras = { parameters, body: "delete-options", answer: "status" } as const;
    const one = operation(definition, "delete", "delete", "deletecollection", extras);
    const api = apiIdentifier(definition);
    operations.push({ ...one, operationId: one.operationId.replace(api, `${api}Collection`) });
  }
  return operations;
}

function objectOperations(definition: ResourceDefinition): Operation[] {
  const can = (verb: Verb): boolean => definition.verbs.includes(verb);
  const operations: Operation[] = [];
  if (can("get")) operations.push(operation(definition, "get", "read", "get", {}));
  if (can("update")) {
    const parameters = [dryRun, fieldManager, fieldValidation];
    operations.push(operation(definition, "put", "replace", "put", { parameters, body: "object" }));
  }
  if (can("patch")) {
    const parameters = [dryRun, fieldManager, fieldValidation, force];
    operations.push(operation(definition, "patch", "patch", "patch", { parameters, body: "patch" }));
  }
  if (can("delete")) {
    const extras = { parameters: deleteParameters, body: "delete-options", answer: "status" } as const;
    operations.push(operation(definition, "delete", "delete", "delete", extras));
  }
  return operations;
}

/** Subresources that connect to something else than the registry. */
const connecting = new Set(["attach", "exec", "portforward", "proxy"]);

const connectMethods: Readonly<Partial<Record<Verb, Method>>> = {
  get: "get",
  create: "post",
  update: "put",
  patch: "patch",
  delete: "delete",
};

function subresourceOperations(definition: ResourceDefinition, subresource: SubresourceDefinition): Operation[] {
  const { name, group, version, kind } = subresource;
  const suffix = capital(name);
  const extras = { suffix, kind: { group, version, kind } };
  const write = [dryRun, fieldManager, fieldValidation];
  const isConnect = connecting.has(name);
  const operations: Operation[] = [];
  for (const verb of subresource.verbs) {
    if (isConnect) {
      const method = connectMethods[verb];
      if (method === undefined) continue;
      const idVerb = `connect${capital(method)}`;
      operations.push(operation(definition, method, idVerb, "connect", { ...extras, answer: "text" }));
    } else if (verb === "get") {
      operations.push(
        operation(definition, "get", "read", "get", { ...extras, answer: name === "log" ? "text" : "object" }),
      );
    } else if (verb === "create") {
      operations.push(
        operation(definition, "post", "create", "post", { ...extras, parameters: write, body: "object" }),
      );
    } else if (verb === "update") {
      operations.push(operation(definition, "put", "replace", "put", { ...extras, parameters: write, body: "object" }));
    } else if (verb === "patch") {
      operations.push(
        operation(definition, "patch", "patch", "patch", { ...extras, parameters: [...write, force], body: "patch" }),
      );
    }
  }
  return operations;
}
