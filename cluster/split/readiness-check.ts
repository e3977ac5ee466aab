import {
  Encoding,
  ResourcesDefinition,
  ResourceVersionMatch,
  type Target,
} from "../../lib/gen/keelson/api/v1/resources.ts";
import type { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";

export interface ReadinessOptions {
  /** `HOST:PORT` of the API over gRPC. */
  readonly address: string;
  /** How many nodes must be Ready. */
  readonly nodes: number;
}

interface SomeObject {
  readonly metadata?: { readonly name?: string };
  readonly status?: { readonly conditions?: readonly { readonly type?: string; readonly status?: string }[] };
}

const CALL_LIMIT_MS = 3_000;

/** Whether a pod could be made: asks the API as its administrator, in JSON, which needs no knowledge of kinds. */
export class ReadinessCheck {
  readonly #identity: IdentityFolder;
  readonly #options: ReadinessOptions;

  constructor(identity: IdentityFolder, options: ReadinessOptions) {
    this.#identity = identity;
    this.#options = options;
  }

  /** What is missing, in words; nothing when the cluster is ready. */
  async missing(): Promise<string[]> {
    const tls = {
      caPem: this.#identity.authorityPem("server"),
      ...this.#identity.keyPair("client"),
      serverName: "kubernetes",
    };
    const channel = new GrpcChannel({ target: this.#options.address, tls });
    try {
      const [nodes, accounts] = await Promise.all([
        list(channel, { resource: "nodes", namespace: "" }),
        list(channel, { resource: "serviceaccounts", namespace: "default" }),
      ]);
      const ready = nodes.filter(({ status }) =>
        status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True"),
      );
      return [
        ...(ready.length >= this.#options.nodes ? [] : [`${ready.length} of ${this.#options.nodes} nodes are Ready`]),
        ...(accounts.some(({ metadata }) => metadata?.name === "default") ? [] : ["no default service account yet"]),
      ];
    } catch (error) {
      return [`the API does not answer: ${(error as Error).message}`];
    } finally {
      channel.close();
    }
  }
}

async function list(channel: GrpcChannel, which: Pick<Target, "resource" | "namespace">): Promise<SomeObject[]> {
  const request = {
    target: { group: "", version: "v1", name: "", subresource: "", ...which },
    encoding: Encoding.ENCODING_JSON,
    selectors: { label: "", field: "" },
    limit: 0n,
    continue: "",
    resourceVersion: "",
    resourceVersionMatch: ResourceVersionMatch.RESOURCE_VERSION_MATCH_UNSPECIFIED,
  };
  const { items } = await channel.client(ResourcesDefinition).list(request, { timeoutMs: CALL_LIMIT_MS });
  return items.map((item) => JSON.parse(item.toString("utf8")) as SomeObject);
}
