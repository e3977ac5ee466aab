import { type Document, DocumentCache, hashOf } from "../document.ts";
import type { JsonObject } from "../json-value.ts";
import type { ResourceDefinition } from "../kind.ts";
import type { GroupVersionName, Registry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { componentName } from "./component-name.ts";
import { KindIndex } from "./kind-index.ts";
import { type Operation, pathItemsOf } from "./operations.ts";
import { type OperationMessages, pathObject } from "./path-object.ts";
import { type Dialect, messageSchemaObject, reachableMessages } from "./schema-object.ts";
import { encodeV2Protobuf } from "./v2-protobuf.ts";

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
  /** JSON of parts, by dialect and message, for the documents that share them. */
  readonly #texts = { paths: new Map<string, readonly string[]>(), schemas: new Map<string, string>() };
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

  /** The same as `v2` in its protobuf form, which is what client-go asks for. */
  v2Protobuf(): Document {
    return this.#document("v2 protobuf", () =>
      encodeV2Protobuf(JSON.parse(Buffer.from(this.v2().body).toString()) as JsonObject),
    );
  }

  #document(key: string, make: () => string | Uint8Array): Document {
    this.#kindIndex();
    return this.#cache.get(key, this.#generation(), make);
  }

  /**
   * Makes everything in small steps, so that whoever serves can do other things between them. Not needed: what is asked
   * for is made then; but that takes a tenth of a second at first.
   */
  *prepare(): Generator<void> {
    this.#kindIndex();
    yield;
    for (const api of this.#registry.groupVersions()) {
      const definitions = this.#registry.resourcesOf(api.group, api.version);
      for (const dialect of ["v3", "v2"] as const) {
        for (const definition of definitions) {
          this.#pathTextsOf(definition, dialect);
          yield;
        }
        for (const schema of reachableMessages(this.#rootsOf(definitions)).values()) {
          this.#schemaText(schema, dialect);
          yield;
        }
      }
      this.groupVersion(pathOf(api));
      yield;
    }
    this.index();
    yield;
    this.v2();
  }

  #generation(): number {
    return this.#registry.resources().length;
  }

  #kindIndex(): KindIndex {
    const generation = this.#generation();
    if (this.#kinds?.generation !== generation) {
      this.#kinds = { generation, index: new KindIndex(this.#registry) };
      this.#texts.paths.clear();
      this.#texts.schemas.clear();
    }
    return this.#kinds.index;
  }

  #pathsText(definitions: readonly ResourceDefinition[], dialect: Dialect): string {
    const texts = definitions.flatMap((definition) => this.#pathTextsOf(definition, dialect));
    return `{${texts.sort().join(",")}}`;
  }

  #pathTextsOf(definition: ResourceDefinition, dialect: Dialect): readonly string[] {
    const key = `${dialect} ${definition.schema.name}`;
    const known = this.#texts.paths.get(key);
    if (known !== undefined) return known;
    const texts = pathItemsOf(definition).map((item) => {
      const object = pathObject(item, (operation) => this.#messagesOf(definition, operation), dialect);
      return `${JSON.stringify(item.path)}:${JSON.stringify(object)}`;
    });
    this.#texts.paths.set(key, texts);
    return texts;
  }

  #messagesOf(definition: ResourceDefinition, operation: Operation): OperationMessages {
    const { group, version, kind } = operation.kind;
    const object = this.#registry.schemaOfKind(group, version, kind) ?? definition.schema;
    return { object: object.name, list: definition.listSchema?.name };
  }

  #schemasText(definitions: readonly ResourceDefinition[], dialect: Dialect): string {
    const texts = [...reachableMessages(this.#rootsOf(definitions)).values()].map((schema) =>
      this.#schemaText(schema, dialect),
    );
    return `{${texts.sort().join(",")}}`;
  }

  #rootsOf(definitions: readonly ResourceDefinition[]): MessageSchema[] {
    const roots: MessageSchema[] = commonMessages.flatMap((name) => this.#registry.message(name) ?? []);
    for (const definition of definitions) {
      roots.push(definition.schema);
      if (definition.listSchema !== undefined) roots.push(definition.listSchema);
      for (const { group, version, kind } of definition.subresources) {
        const schema = this.#registry.schemaOfKind(group, version, kind);
        if (schema !== undefined) roots.push(schema);
      }
    }
    return roots;
  }

  #schemaText(schema: MessageSchema, dialect: Dialect): string {
    const key = `${dialect} ${schema.name}`;
    const known = this.#texts.schemas.get(key);
    if (known !== undefined) return known;
    const object = messageSchemaObject(schema, this.#kindIndex().of(schema), dialect);
    const text = `${JSON.stringify(componentName(schema.name))}:${JSON.stringify(object)}`;
    this.#texts.schemas.set(key, text);
    return text;
  }
}

function pathOf({ group, version }: GroupVersionName): string {
  return group === "" ? `api/${version}` : `apis/${group}/${version}`;
}
