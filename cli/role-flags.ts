import { createPrivateKey, X509Certificate } from "node:crypto";
import { statSync } from "node:fs";
import path from "node:path";
import type { KeyPair } from "../lib/core/key-pair.ts";
import { IdentityFolder } from "../lib/process/identity-folder.ts";
import { isKeyPair } from "../lib/process/is-key-pair.ts";
import type { ClusterConnectionOptions } from "../lib/role/cluster-connection.ts";
import type { RoleProcessOptions } from "../lib/role/role-process.ts";
import { addressListFlag, checkAddress, checkUnixSocket, isLocalAddress } from "./address-flags.ts";
import { type CommandIo, type FlagValues, logLevelFlag, neededFlag, stringFlag, UsageError } from "./command.ts";

/** Flags that every role's process takes. */
export const ROLE_FLAGS = { "role-listen": "string", "metrics-listen": "string", "log-level": "string" } as const;
export const ROLE_USAGE = `  --role-listen=ADDRESS   where the role says what it is and how it does by gRPC (keelson.role.v1.Role, health):
                          unix:PATH, or HOST:PORT with the identity's server certificate
  --metrics-listen=HOST:PORT  /metrics, /livez and /readyz: plain HTTP on a loopback address, elsewhere HTTPS with the
                          identity's server certificate, for clients that have one of its client authority
  --log-level=LEVEL       debug, info (default), warn, error`;

/** `--identity`, which must be a folder that has all `files`. */
export function identityFlag(values: FlagValues, files: readonly string[]): IdentityFolder {
  const folder = neededFlag(values, "identity");
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UsageError(`--identity ${folder} is no folder: make one with "keelson pki"`);
  }
  const identity = new IdentityFolder(folder);
  try {
    for (const file of files) checkFile(identity, file);
  } catch (error) {
    throw new UsageError(`--identity: ${(error as Error).message}`, { cause: error });
  }
  return identity;
}

function checkFile(identity: IdentityFolder, file: string): void {
  const text = identity.text(file);
  const where = path.join(identity.folder, file);
  try {
    if (file.endsWith(".crt")) new X509Certificate(text);
    if (file.endsWith(".key")) createPrivateKey(text);
  } catch (cause) {
    throw new Error(`${where} is no PEM ${file.endsWith(".key") ? "key" : "certificate"}`, { cause });
  }
  const certificate = file.replace(/\.key$/, ".crt");
  if (certificate === file || !identity.has(certificate)) return;
  if (!isKeyPair({ certPem: identity.text(certificate), keyPem: text })) {
    throw new Error(`${where} is not the key of ${certificate}`);
  }
}

export function natsFlag(values: FlagValues): { bus?: readonly string[] } {
  return values["nats"] === undefined ? {} : { bus: addressListFlag(values, "nats") };
}

/** Flags of roles that follow the API. */
export const CLUSTER_FLAGS = { "api-server": "string", nats: "string" } as const;
export const CLUSTER_USAGE = `  --api-server=LIST       gRPC addresses of the api-servers, HOST:PORT with commas between; one is used at a time
  --nats=LIST             addresses of nats-servers, by which changes are heard of; without them by watch alone`;

/** Where the cluster is, and who asks. */
export function clusterFlags(values: FlagValues, identity: IdentityFolder): ClusterConnectionOptions {
  return {
    addresses: addressListFlag(values, "api-server"),
    ...natsFlag(values),
    tls: { caPem: identity.authorityPem("server"), ...identity.keyPair("client") },
  };
}

/**
 * What `ROLE_FLAGS` say. `clientAuthority` is whose certificates the role's own servers ask of their clients on a TCP port.
 */
export function roleOptions(
  values: FlagValues,
  io: CommandIo,
  identity: IdentityFolder | undefined,
  clientAuthority: "client" | "store",
): RoleProcessOptions {
  const tlsFor = (flag: string, remedy: string) => {
    const needed = ["server.crt", "server.key", `${clientAuthority}-ca.crt`];
    const missing = needed.filter((file) => identity?.has(file) !== true);
    if (identity === undefined || missing.length > 0) {
      const why = identity === undefined ? "there is no --identity" : `the identity has no ${missing.join(", ")}`;
      throw new UsageError(`--${flag} ${values[flag]} cannot be served with TLS: ${why}; use ${remedy}`);
    }
    return { ...identity.keyPair("server"), clientCaPem: identity.authorityPem(clientAuthority) };
  };
  const listen = stringFlag(values, "role-listen");
  const metricsListen = stringFlag(values, "metrics-listen");
  return {
    logLevel: logLevelFlag(values),
    announce: (line) => io.out(`${line}\n`),
    ...(listen === undefined ? {} : { roleServer: roleServerOf(listen, () => tlsFor("role-listen", "unix:PATH")) }),
    ...(metricsListen === undefined
      ? {}
      : { metrics: metricsOf(metricsListen, () => tlsFor("metrics-listen", "a loopback address")) }),
  };
}

interface ServerTls extends KeyPair {
  readonly clientCaPem: string;
}

function roleServerOf(listen: string, tls: () => ServerTls): NonNullable<RoleProcessOptions["roleServer"]> {
  if (listen.startsWith("unix:")) return { listen: checkUnixSocket(listen, "role-listen") };
  checkAddress(listen, "role-listen");
  return { listen, tls: tls() };
}

function metricsOf(listen: string, tls: () => ServerTls): NonNullable<RoleProcessOptions["metrics"]> {
  const address = checkAddress(listen, "metrics-listen");
  return isLocalAddress(listen) ? address : { ...address, tls: tls() };
}
