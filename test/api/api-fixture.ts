import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ApiClient } from "../../lib/client/api-client.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { type Log, silentLog } from "../../lib/core/log.ts";
import type { Bus } from "../../lib/events/bus.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { Authority, generateSigningKey } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import type { Store } from "../../lib/store/store.ts";
import { ApiServer, type ApiServerOptions } from "../../services/api-server/api-server.ts";
import { openStore } from "../../services/store/open-store.ts";
import { Kubectl } from "../kit/kubectl.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

export interface SendOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  /** Default: the admin's certificate; `none` sends no credentials. */
  readonly as?: KeyPair | "none";
}

/** What the api-servers of one cluster share. */
export interface ApiAuthorities {
  readonly server: Authority;
  readonly client: Authority;
  readonly serviceAccount: ApiServerOptions["serviceAccount"];
}

/** An api-server on a store in memory, with authorities of its own, and the ways to talk to it. */
export interface ApiFixture {
  readonly api: ApiServer;
  readonly store: Store;
  readonly client: ApiClient;
  readonly folder: string;
  readonly port: number;
  readonly serverCaPem: string;
  readonly kubectl: Kubectl;
  readonly admin: KeyPair;
  readonly authorities: ApiAuthorities;
  clientCertificate(user: string, groups: readonly string[]): Promise<KeyPair>;
  send(method: string, target: string, options?: SendOptions): Promise<HttpAnswer>;
  stop(): Promise<void>;
}

export interface ApiFixtureOptions {
  /** Instead of our own; `stop` closes it. */
  readonly store?: Store;
  readonly dataDir?: string;
  /** Of another api-server of the same cluster. */
  readonly authorities?: ApiAuthorities;
  readonly compaction?: ApiServerOptions["compaction"];
  readonly kubelet?: ApiServerOptions["kubelet"];
  readonly ring?: ApiServerOptions["ring"];
  /** Where it publishes; the caller starts and stops it. */
  readonly bus?: Bus;
  readonly limits?: ApiServerOptions["limits"];
  /** Default: nowhere. */
  readonly log?: Log;
}

export async function startApi(options: ApiFixtureOptions = {}): Promise<ApiFixture> {
  const { log = silentLog } = options;
  const folder = mkdtempSync(path.join(tmpdir(), "keelson-api-"));
  const authorities = options.authorities ?? (await makeAuthorities());
  const { server: serverCa, client: clientCa, serviceAccount } = authorities;
  const tls = await serverCa.issue({
    commonName: "kube-apiserver",
    dnsNames: ["localhost", "kubernetes"],
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validityDays: 1,
  });
  const clientCertificate = (user: string, groups: readonly string[]): Promise<KeyPair> =>
    clientCa.issue({ commonName: user, organizations: groups, usages: ["client"], validityDays: 1 });
  const admin = await clientCertificate("admin", ["system:masters"]);
  const store = options.store ?? (await ownStore(options.dataDir, log));
  const api = new ApiServer(
    {
      ...{ store, registry: loadRegistry(kindDescriptors), clock: realClock, random: realRandom, log },
      ...(options.bus === undefined ? {} : { bus: options.bus }),
    },
    {
      listen: { host: "127.0.0.1", port: 0 },
      grpc: { host: "127.0.0.1", port: 0 },
      tls,
      clientCaPem: clientCa.certPem,
      serviceAccount,
      ...(options.compaction === undefined ? {} : { compaction: options.compaction }),
      ...(options.kubelet === undefined ? {} : { kubelet: options.kubelet }),
      ...(options.ring === undefined ? {} : { ring: options.ring }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    },
  );
  await api.start();
  const { port } = api;
  const kubeconfig = writeKubeconfig(folder, port, serverCa.certPem, admin);
  return {
    api,
    store,
    client: api.clientFor({ user: "admin", groups: ["system:masters"] }),
    folder,
    port,
    serverCaPem: serverCa.certPem,
    kubectl: new Kubectl(kubeconfig, path.join(folder, "cache")),
    admin,
    authorities,
    clientCertificate,
    send: (method, target, sendOptions) => send(port, serverCa.certPem, admin, method, target, sendOptions),
    async stop() {
      await api.stop();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function makeAuthorities(): Promise<ApiAuthorities> {
  return {
    server: await Authority.create("server", realClock, realRandom),
    client: await Authority.create("client", realClock, realRandom),
    serviceAccount: { ...(await generateSigningKey()), issuer: "https://kubernetes.default.svc.cluster.local" },
  };
}

async function ownStore(dataDir: string | undefined, log: Log): Promise<Store> {
  const onFatal = (reason: string): void => {
    throw new Error(reason);
  };
  const components = { clock: realClock, random: realRandom, log, onFatal };
  return await openStore({ ...components, ...(dataDir === undefined ? {} : { dataDir }) });
}

function writeKubeconfig(folder: string, port: number, serverCaPem: string, user: KeyPair): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const file = path.join(folder, "kubeconfig");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "test",
        cluster: { server: `https://127.0.0.1:${port}`, "certificate-authority-data": base64(serverCaPem) },
      },
    ],
    users: [
      {
        name: "admin",
        user: { "client-certificate-data": base64(user.certPem), "client-key-data": base64(user.keyPem) },
      },
    ],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
    "current-context": "test",
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

async function send(
  port: number,
  caPem: string,
  admin: KeyPair,
  method: string,
  target: string,
  options: SendOptions = {},
): Promise<HttpAnswer> {
  const { as = admin } = options;
  const credentials = as === "none" ? {} : { cert: as.certPem, key: as.keyPem };
  const body = options.body === undefined ? undefined : Buffer.from(options.body);
  const headers: Record<string, string> = {
    ...(body === undefined ? {} : { "content-type": "application/json", "content-length": String(body.length) }),
    ...options.headers,
  };
  return await new Promise((resolve, reject) => {
    const request = httpsRequest(
      { host: "127.0.0.1", port, method, path: target, ca: caPem, headers, agent: false, ...credentials },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const text = bytes.toString("utf8");
          const json = (): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text, json });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}
