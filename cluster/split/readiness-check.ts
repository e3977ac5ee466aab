import {
  Encoding,
  ResourcesDefinition,
  ResourceVersionMatch,
  type Target,
} from "../../lib/gen/keelson/api/v1/resources.ts";
import type { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { missingForPods, type SomeObject } from "../missing-for-pods.ts";

export interface ReadinessOptions {
  /** `HOST:PORT` of the API over gRPC. */
  readonly address: string;
  /** How many nodes must be Ready. */
  readonly nodes: number;
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
      return missingForPods({ nodes, accounts }, this.#options.nodes);
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
