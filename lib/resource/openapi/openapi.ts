import { type Document, DocumentCache, hashOf } from "../document.ts";
import type { ResourceDefinition } from "../kind.ts";
import type { GroupVersionName, Registry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { componentName } from "./component-name.ts";
import { KindIndex } from "./kind-index.ts";
import { type Operation, pathItemsOf } from "./operations.ts";
import { type OperationMessages, pathObject } from "./path-object.ts";
import { type Dialect, messageSchemaObject, reachableMessages } from "./schema-object.ts";

export interface OpenApiOptions {
  /** Version of the server, as documents show it. */
  readonly version: string;
}

const META = "k8s.io.apimachinery.pkg.apis.meta.v1";

/** Messages that every group version uses, whatever it serves. */
const commonMessages = ["APIResourceList", "DeleteOptions", "Patch", "Status", "WatchEvent"].map(
  (one) => `${META}.${one}`,
);

/** The OpenAPI documents of all that is registered; each is made when it is first asked for and then kept. */
export class OpenApi {
  readonly #registry: Registry;
  readonly #info: object;
  readonly #cache = new DocumentCache();
  #kinds: { readonly generation: number; readonly index: KindIndex } | undefined;

  constructor(registry: Registry, { version }: OpenApiOptions) {
    this.#registry = registry;
    this.#info = { title: "Kubernetes", version };
  }

  /** `/openapi/v3`: where the document of each group version is; a path with its hash can be cached for ever. */
  index(): Document {
    return this.#document("v3", () => {
      const paths = this.#registry.groupVersions().map((api): [string, object] => {
        const path = pathOf(api);
        const hash = hashOf(this.groupVersion(path)?.body ?? new Uint8Array());
        return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
      });
      return JSON.stringify({ paths: Object.fromEntries(paths) });
    });
  }

  /** `/openapi/v3/<path>` where path is `api/v1` or `apis/<group>/<version>`; undefined where nothing is served. */
  groupVersion(path: string): Document | undefined {
    const api = this.#registry.groupVersions().find((one) => pathOf(one) === path);
    if (api === undefined) return undefined;
    return this.#document(`v3 ${path}`, () => {
      const definitions = this.#registry.resourcesOf(api.group, api.version);
      const schemas = this.#schemasText(definitions, "v3");
      return `{"openapi":"3.0.0","info":${JSON.stringify(this.#info)},"paths":${this.#pathsText(definitions, "v3")},"components":{"schemas":${schemas}}}`;
    });
  }

  /** `/openapi/v2`: everything in one document. */
  v2(): Document {
    return this.#document("v2", () => {
      const definitions = this.#registry.resources();
      const schemas = this.#schemasText(definitions, "v2");
      return `{"swagger":"2.0","info":${JSON.stringify(this.#info)},"paths":${this.#pathsText(definitions, "v2")},"definitions":${schemas}}`;
    });
  }

  #document(key: string, make: () => string): Document {
    return this.#cache.get(key, this.#generation(), make);
  }

  #generation(): number {
    return this.#registry.resources().length;
  }

  #kindIndex(): KindIndex {
    if (this.#kinds?.generation !== this.#generation()) {
      this.#kinds = { generation: this.#generation(), index: new KindIndex(this.#registry) };
    }
    return this.#kinds.index;
  }

  #pathsText(definitions: readonly ResourceDefinition[], dialect: Dialect): string {
    const items = definitions.flatMap(pathItemsOf);
    const entries = items.map((item): [string, object] => [
      item.path,
      pathObject(item, (operation) => this.#messagesOf(item.definition, operation), dialect),
    ]);
    return JSON.stringify(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))));
  }

  #messagesOf(definition: ResourceDefinition, operation: Operation): OperationMessages {
    const { group, version, kind } = operation.kind;
    const object = this.#registry.schemaOfKind(group, version, kind) ?? definition.schema;
    return { object: object.name, list: definition.listSchema?.name };
  }

  #schemasText(definitions: readonly ResourceDefinition[], dialect: Dialect): string {
    const roots: MessageSchema[] = commonMessages.flatMap((name) => this.#registry.message(name) ?? []);
    for (const definition of definitions) {
      roots.push(definition.schema);
      if (definition.listSchema !== undefined) roots.push(definition.listSchema);
      for (const { group, version, kind } of definition.subresources) {
        const schema = this.#registry.schemaOfKind(group, version, kind);
        if (schema !== undefined) roots.push(schema);
      }
    }
    const kinds = this.#kindIndex();
    const texts = [...reachableMessages(roots).values()]
      .map((schema): [string, MessageSchema] => [componentName(schema.name), schema])
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(
        ([name, schema]) =>
          `${JSON.stringify(name)}:${JSON.stringify(messageSchemaObject(schema, kinds.of(schema), dialect))}`,
      );
    return `{${texts.join(",")}}`;
  }
}

function pathOf({ group, version }: GroupVersionName): string {
  return group === "" ? `api/${version}` : `apis/${group}/${version}`;
}
