import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { request as httpsRequest } from "node:https";
import path from "node:path";
import { silentLog } from "../../lib/core/log.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { ClusterConnection } from "../../lib/role/cluster-connection.ts";
import { EtcdStore } from "../../lib/store/etcd-store.ts";

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

export interface ApiRequest {
  readonly body?: unknown;
  readonly timeoutMs?: number;
  /** `api-server-1`: at this one, past the balancer. */
  readonly at?: string;
  /** Each line of the body as it comes; then the answer has no text. */
  readonly line?: (text: string) => void;
  readonly signal?: AbortSignal;
}

const REQUEST_LIMIT_MS = 10_000;

/** The doors of a cluster of `keelson up --layout=split`, each opened with the identity that belongs there. */
export class SplitAccess {
  readonly #dataDir: string;
  readonly #balancerPort: number;
  readonly #ports: Readonly<Record<string, number>>;

  /** `apiUrl`: of the balancer, as `status` tells it. */
  constructor(dataDir: string, apiUrl: string) {
    this.#dataDir = dataDir;
    this.#balancerPort = Number(new URL(apiUrl).port);
    this.#ports = JSON.parse(readFileSync(path.join(dataDir, "run", "ports.json"), "utf8"));
  }

  /** The store's own client, by which its history can be read. Close it. */
  openStore(): EtcdStore {
    const identity = this.#identity("api-server");
    const tls = { caPem: identity.authorityPem("store"), ...identity.keyPair("store-client") };
    const endpoints = [`https://127.0.0.1:${this.#ports["store"]}`];
    return new EtcdStore({ clock: realClock, log: silentLog }, { endpoints, tls });
  }

  /** API and bus as the processes of a role have them. Start and stop it. */
  connectRole(role: "scheduler" | "controller-manager"): ClusterConnection {
    const identity = this.#identity(role);
    const parts = { registry: loadRegistry(kindDescriptors), clock: realClock, random: realRandom, log: silentLog };
    return new ClusterConnection(
      { ...parts, instance: "test" },
      {
        addresses: [1, 2].map((n) => `127.0.0.1:${this.#ports[`api-server-${n}-grpc`]}`),
        tls: { caPem: identity.authorityPem("server"), ...identity.keyPair("client") },
        bus: [`127.0.0.1:${this.#ports["nats"]}`],
      },
    );
  }

  /**
   * One request of the administrator's through the balancer, on a connection of its own. Rejects when there is no whole
   * answer; a watch that ends has one.
   */
  request(method: string, target: string, options: ApiRequest = {}): Promise<ApiAnswer> {
    const identity = this.#identity("admin");
    const { certPem: cert, keyPem: key } = identity.keyPair("client");
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    return new Promise((resolve, reject) => {
      const request = httpsRequest({
        ...{ host: "127.0.0.1", port: this.#portOf(options.at), servername: "kubernetes", agent: false },
        ...{ ca: identity.authorityPem("server"), cert, key, method, path: target },
        ...(body === undefined ? {} : { headers: { "content-type": contentType(method) } }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      const limitMs = options.timeoutMs ?? (options.line === undefined ? REQUEST_LIMIT_MS : undefined);
      const timer =
        limitMs === undefined
          ? undefined
          : setTimeout(() => request.destroy(new Error(`no answer in ${limitMs} ms`)), limitMs);
      request.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          text += piece;
          if (options.line === undefined || response.statusCode !== 200) return;
          const lines = text.split("\n");
          text = lines.pop() ?? "";
          for (const line of lines) options.line(line);
        });
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      });
      request.on("error", reject);
      request.on("close", () => clearTimeout(timer));
      request.end(body);
    });
  }

  /** A line to one api-server that stays, by HTTP/2; it may fail at any time. Close it. */
  openLine(apiServer: string): ClientHttp2Session {
    const identity = this.#identity("admin");
    const { certPem: cert, keyPem: key } = identity.keyPair("client");
    const tls = { ca: identity.authorityPem("server"), cert, key, servername: "kubernetes" };
    const line = connect(`https://127.0.0.1:${this.#portOf(apiServer)}`, tls);
    line.on("error", () => {});
    return line;
  }

  #portOf(apiServer: string | undefined): number {
    return (apiServer === undefined ? undefined : this.#ports[apiServer]) ?? this.#balancerPort;
  }

  #identity(name: string): IdentityFolder {
    return new IdentityFolder(path.join(this.#dataDir, "pki", "identities", name));
  }
}

/** One GET on such a line. */
export function getOn(line: ClientHttp2Session, target: string, timeoutMs: number): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const stream = line.request({ ":path": target });
    let status = 0;
    let text = "";
    stream.setEncoding("utf8");
    stream.setTimeout(timeoutMs, () => stream.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    stream.on("response", (headers) => {
      status = headers[":status"] ?? 0;
    });
    stream.on("data", (piece: string) => {
      text += piece;
    });
    stream.on("end", () => resolve({ status, text }));
    stream.on("error", reject);
    stream.on("close", () => reject(new Error("no whole answer")));
  });
}

function contentType(method: string): string {
  return method === "PATCH" ? "application/merge-patch+json" : "application/json";
}
