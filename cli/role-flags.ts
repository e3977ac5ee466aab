import { createPrivateKey, X509Certificate } from "node:crypto";
import { statSync } from "node:fs";
import { isIPv4 } from "node:net";
import path from "node:path";
import { IdentityFolder } from "../lib/process/identity-folder.ts";
import type { LogLevel } from "../lib/process/logger.ts";
import type { ClusterConnectionOptions } from "../lib/role/cluster-connection.ts";
import type { RoleProcessOptions } from "../lib/role/role-process.ts";
import { type CommandIo, choiceFlag, type FlagValues, stringFlag, UsageError } from "./command.ts";

/** Flags that every role's process takes. */
export const ROLE_FLAGS = { "role-listen": "string", "metrics-listen": "string", "log-level": "string" } as const;
export const ROLE_USAGE = `  --role-listen=ADDRESS   where the role says what it is and how it does by gRPC (keelson.role.v1.Role, health):
                          unix:PATH, or HOST:PORT with the identity's server certificate
  --metrics-listen=HOST:PORT  /metrics, /livez and /readyz: plain HTTP on a loopback address, elsewhere HTTPS with the
                          identity's server certificate, for clients that have one of its client authority
  --log-level=LEVEL       debug, info (default), warn, error`;

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];
const PORT_MAX = 65_535;

export function neededFlag(values: FlagValues, name: string): string {
  const value = stringFlag(values, name);
  if (value === undefined) throw new UsageError(`--${name} is needed`);
  return value;
}

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
  if (!new X509Certificate(identity.text(certificate)).checkPrivateKey(createPrivateKey(text))) {
    throw new Error(`${where} is not the key of ${certificate}`);
  }
}

/** `HOST:PORT`; an IPv6 host stands in brackets. */
export function addressFlag(values: FlagValues, name: string): { host: string; port: number } {
  return checkAddress(neededFlag(values, name), name);
}

/** A list of `HOST:PORT` with commas between. */
export function addressListFlag(values: FlagValues, name: string): readonly string[] {
  const addresses = neededFlag(values, name).split(",");
  for (const address of addresses) {
    if (checkAddress(address, name).port === 0)
      throw new UsageError(`--${name}: ${address} needs the port to connect to`);
  }
  return addresses;
}

/** `HOST:PORT` apart; anything else is a UsageError. */
export function checkAddress(text: string, flag: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > PORT_MAX) {
    throw new UsageError(`--${flag} must be HOST:PORT, not ${JSON.stringify(text)}`);
  }
  return { host, port };
}

/** What the kernel takes as a socket's path, without its end. */
const SOCKET_PATH_MAX_BYTES = 107;

/** `unix:PATH` in a folder that is there. */
export function checkUnixSocket(text: string, flag: string): string {
  const socket = text.slice("unix:".length);
  const why = (() => {
    if (socket === "") return "needs a path after unix:";
    if (Buffer.byteLength(path.resolve(socket)) > SOCKET_PATH_MAX_BYTES)
      return `has a path of more than ${SOCKET_PATH_MAX_BYTES} bytes`;
    const folder = path.dirname(path.resolve(socket));
    return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? "" : `is in no folder: make ${folder}`;
  })();
  if (why !== "") throw new UsageError(`--${flag} ${why}`);
  return text;
}

/** Whether only this machine can reach it. */
export function isLocalAddress(address: string): boolean {
  return address.startsWith("unix:") || /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(address);
}

export function natsFlag(values: FlagValues): { bus?: readonly string[] } {
  return values["nats"] === undefined ? {} : { bus: addressListFlag(values, "nats") };
}

/** `ADDRESS/BITS` of IPv4. */
export function cidrFlag(values: FlagValues, name: string): string | undefined {
  const text = stringFlag(values, name);
  if (text === undefined) return undefined;
  const [address = "", bits = ""] = text.split("/");
  if (!isIPv4(address) || !/^\d+$/.test(bits) || Number(bits) > 32) {
    throw new UsageError(`--${name} must be an IPv4 network such as 10.1.2.0/24, not ${JSON.stringify(text)}`);
  }
  return text;
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
    logLevel: choiceFlag(values, "log-level", LOG_LEVELS) ?? "info",
    announce: (line) => io.out(`${line}\n`),
    ...(listen === undefined ? {} : { roleServer: roleServerOf(listen, () => tlsFor("role-listen", "unix:PATH")) }),
    ...(metricsListen === undefined
      ? {}
      : { metrics: metricsOf(metricsListen, () => tlsFor("metrics-listen", "a loopback address")) }),
  };
}

interface ServerTls {
  readonly certPem: string;
  readonly keyPem: string;
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
