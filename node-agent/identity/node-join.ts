import { X509Certificate } from "node:crypto";
import type { Clock } from "../../lib/core/clock.ts";
import type { Random } from "../../lib/core/random.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { CertificateSigningRequest } from "../../lib/gen/k8s/certificates/v1.ts";
import type { ConfigMap } from "../../lib/gen/k8s/core/v1.ts";
import { publicKeyHash } from "../../lib/pki/public-key-hash.ts";
import { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { type JsonServer, jsonRequest } from "../../lib/process/json-request.ts";
import { nodeSubject, requestCertificate } from "./request-certificate.ts";

export interface NodeJoinOptions {
  /** `https://HOST:PORT` of an api-server. */
  readonly server: string;
  readonly token: string;
  /** Either the authorities themselves, or the hash of one that the cluster tells. */
  readonly trust: { readonly caPem: string } | { readonly publicKeyHash: string };
  readonly nodeName: string;
  /** Gets the identity. */
  readonly outDir: string;
}

export interface NodeJoinComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Told what is done and what is waited for. */
  readonly progress: (step: string) => void;
}

/** Each api-server's certificate has this name. */
const SERVER_NAME = "kubernetes";
const REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
const CLIENT_AUTHORITY = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";

/** Makes a node's identity with nothing but a bootstrap token. Rejects with an Error for people. */
export async function joinNode(components: NodeJoinComponents, options: NodeJoinOptions): Promise<void> {
  const { clock, random, progress } = components;
  const { server: url, token, nodeName } = options;
  const caPem = await authorities(options, progress);
  const server: JsonServer = { url, caPem, serverName: SERVER_NAME };
  const client = await clientCertificate(components, { ...server, token }, nodeName);
  const { data } = await jsonRequest<ConfigMap>({ ...server, client }, "GET", CLIENT_AUTHORITY);
  const clientCaPem = data?.["client-ca-file"];
  if (clientCaPem === undefined) throw new Error("the cluster does not tell whose client certificates it believes");
  const { Authority } = await import("../../lib/pki/authority.ts");
  // To serve with until the agent has a signed one, for which its Node must exist.
  const ownServing = await Authority.create(nodeSubject({ purpose: "server", nodeName }).commonName, clock, random);
  const folder = new IdentityFolder(options.outDir);
  folder.write("server-ca.crt", caPem);
  folder.write("client-ca.crt", clientCaPem);
  folder.replaceKeyPair("server", ownServing);
  folder.replaceKeyPair("client", client);
  progress(`the identity of ${nodeName} is in ${folder.folder}`);
}

/** Nothing secret is sent before these are known. */
async function authorities({ server, trust }: NodeJoinOptions, progress: (step: string) => void): Promise<string> {
  if ("caPem" in trust) return trust.caPem;
  const { data } = await jsonRequest<ConfigMap>({ url: server }, "GET", CLUSTER_INFO).catch((cause: unknown) => {
    const isRefusal = cause instanceof StatusError && [401, 403, 404].includes(cause.code);
    throw isRefusal ? new Error("the cluster tells nobody its authorities yet: give --ca-cert=FILE", { cause }) : cause;
  });
  const told = certificatesIn(data?.["kubeconfig"] ?? "");
  const trusted = told.filter((certificate) => publicKeyHash(certificate) === trust.publicKeyHash);
  if (trusted.length > 0) {
    progress("the cluster's authority is the one of --ca-cert-hash");
    return trusted.map((certificate) => certificate.toString()).join("");
  }
  const hashes = told.map((certificate) => `sha256:${publicKeyHash(certificate)}`).join(", ") || "none";
  throw new Error(
    `the server at ${server} has other authorities (${hashes}) than --ca-cert-hash says: somebody may be in between; ` +
      "nothing was sent to it",
  );
}

function certificatesIn(kubeconfig: string): X509Certificate[] {
  try {
    const encoded: unknown = JSON.parse(kubeconfig).clusters[0].cluster["certificate-authority-data"];
    const pem = Buffer.from(String(encoded), "base64").toString("utf8");
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new Error("what the cluster tells of its authorities cannot be read", { cause });
  }
}

async function clientCertificate(components: NodeJoinComponents, server: JsonServer, nodeName: string) {
  const { clock, signal, progress } = components;
  const requests = {
    create: async (request: CertificateSigningRequest) => {
      const made = await jsonRequest<CertificateSigningRequest>(server, "POST", REQUESTS, request).catch(refuse);
      progress(`asked for a client certificate by the request ${made.metadata?.name}`);
      return made;
    },
    get: (name: string) => jsonRequest<CertificateSigningRequest>(server, "GET", `${REQUESTS}/${name}`),
  };
  const waiting = (what: string) => progress(`waiting for ${what}`);
  return await requestCertificate({ requests, clock, signal, waiting }, { purpose: "client", nodeName });
}

function refuse(thrown: unknown): never {
  if (!(thrown instanceof StatusError) || thrown.code !== 401) throw thrown;
  throw new Error(
    'the cluster does not know the token, or its time is over: make another with "keelson token create"',
    {
      cause: thrown,
    },
  );
}
