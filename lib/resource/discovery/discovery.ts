import { type Document, DocumentCache } from "../document.ts";
import type { Registry } from "../registry.ts";
import { acceptedDiscovery, discoveryMediaType, groupDiscoveryList } from "./aggregated-discovery.ts";
import { apiGroup, apiGroupList, apiResourceList, apiVersions } from "./legacy-discovery.ts";

export interface DiscoveryAnswer extends Document {
  readonly contentType: string;
}

export interface DiscoveryOptions {
  /** Host and port of this server as clients reach it. */
  readonly serverAddress: string;
}

/** Answers what clients ask before anything else: which groups, versions and resources there are. */
export class Discovery {
  readonly #registry: Registry;
  readonly #serverAddress: string;
  readonly #cache = new DocumentCache();

  constructor(registry: Registry, { serverAddress }: DiscoveryOptions) {
    this.#registry = registry;
    this.#serverAddress = serverAddress;
  }

  /**
   * The document at `/api`, `/api/v1`, `/apis`, `/apis/<group>` or `/apis/<group>/<version>`, in the form that the Accept
   * header asks for; undefined where there is none.
   */
  answer(path: string, accept: string): DiscoveryAnswer | undefined {
    const version = path === "/api" || path === "/apis" ? acceptedDiscovery(accept) : undefined;
    const make =
      version === undefined
        ? () => this.#plain(path)
        : () => groupDiscoveryList(this.#registry, path as "/api" | "/apis", version);
    const contentType = version === undefined ? "application/json" : discoveryMediaType(version);
    const text = (): string => JSON.stringify(make() ?? null);
    if (version === undefined && this.#plain(path) === undefined) return undefined;
    const document = this.#cache.get(`${path} ${contentType}`, this.#registry.resources().length, text);
    return { ...document, contentType };
  }

  #plain(path: string): object | undefined {
    const [root, first, second, ...rest] = path.split("/").slice(1);
    if (rest.length > 0) return undefined;
    if (root === "api") {
      if (first === undefined) return apiVersions(this.#registry, this.#serverAddress);
      return second === undefined ? apiResourceList(this.#registry, { group: "", version: first }) : undefined;
    }
    if (root !== "apis") return undefined;
    if (first === undefined) return apiGroupList(this.#registry);
    if (second === undefined) return apiGroup(this.#registry, first);
    return first === "" ? undefined : apiResourceList(this.#registry, { group: first, version: second });
  }
}
