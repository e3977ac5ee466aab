import { hostname } from "node:os";
import type { CertificateRequest } from "../../lib/pki/authority.ts";
import type { AuthorityName, CertificateName } from "../../lib/process/identity-folder.ts";

/** Who has a folder of its own under `identities/`. */
export type IdentityName =
  | "nats"
  | "store"
  | "api-server"
  | "scheduler"
  | "controller-manager"
  | "admin"
  | `node-${string}`;

export type CertificatePlan = Omit<CertificateRequest, "validityDays"> & { readonly authority: AuthorityName };

/** The files of one identity. */
export interface IdentityPlan {
  readonly certificates: Readonly<Partial<Record<CertificateName, CertificatePlan>>>;
  /** Whose signatures it checks: `NAME-ca.crt`. */
  readonly trusts: readonly AuthorityName[];
  /** In whose name it signs: `NAME-ca.key`. */
  readonly signsAs?: readonly AuthorityName[];
  readonly serviceAccountKeys?: true;
  /** `bus-account.seed`, which signs users of the bus. */
  readonly busAccount?: true;
  /** `accounts.conf`. */
  readonly busServer?: true;
}

const MASTERS = "system:masters";
const LOOPBACK = ["127.0.0.1", "::1"];
const API_SERVER_NAMES = [
  "localhost",
  "api-server",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
];

const ROLES: Readonly<Record<Exclude<IdentityName, `node-${string}`>, () => IdentityPlan>> = {
  nats: () => ({
    certificates: { server: serving("server", "nats", ["nats", "localhost"]) },
    trusts: ["server"],
    busServer: true,
  }),
  store: () => ({ certificates: { server: serving("store", "store", ["store", "localhost"]) }, trusts: ["store"] }),
  "api-server": () => ({
    certificates: {
      server: serving("server", "kube-apiserver", [...API_SERVER_NAMES, hostname()]),
      "store-client": client("store", "keelson-api-server"),
      "kubelet-client": client("client", "kube-apiserver-kubelet-client"),
      "front-proxy-client": client("front-proxy", "front-proxy-client"),
    },
    trusts: ["server", "client", "store", "kubelet", "front-proxy"],
    serviceAccountKeys: true,
    busAccount: true,
  }),
  scheduler: () => ({ certificates: { client: client("client", "system:kube-scheduler") }, trusts: ["server"] }),
  "controller-manager": () => ({
    certificates: { client: client("client", "system:kube-controller-manager") },
    trusts: ["server", "client", "kubelet"],
    signsAs: ["client", "kubelet"],
  }),
  admin: () => ({ certificates: { client: client("client", "kubernetes-admin", MASTERS) }, trusts: ["server"] }),
};

/** What the identity consists of. Source of users and groups: kubernetes.io/docs/setup/best-practices/certificates. */
export function identityPlan(identity: IdentityName): IdentityPlan {
  if (identity.startsWith("node-")) return nodePlan(identity.slice("node-".length));
  return ROLES[identity as keyof typeof ROLES]();
}

function nodePlan(node: string): IdentityPlan {
  const user = `system:node:${node}`;
  return {
    certificates: {
      client: client("client", user, "system:nodes"),
      server: { ...serving("kubelet", user, [node]), organizations: ["system:nodes"] },
    },
    trusts: ["server", "client"],
  };
}

function serving(authority: AuthorityName, commonName: string, dnsNames: readonly string[]): CertificatePlan {
  return { authority, commonName, dnsNames, ipAddresses: LOOPBACK, usages: ["server"] };
}

function client(authority: AuthorityName, commonName: string, ...organizations: readonly string[]): CertificatePlan {
  return { authority, commonName, organizations, usages: ["client"] };
}
