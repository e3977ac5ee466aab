import { statSync } from "node:fs";
import { isIPv4 } from "node:net";
import path from "node:path";
import { type FlagValues, neededFlag, stringFlag, UsageError } from "./command.ts";

export const PORT_MAX = 65_535;

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
  const address = addressOf(text);
  if (address === undefined) throw new UsageError(`--${flag} must be HOST:PORT, not ${JSON.stringify(text)}`);
  return address;
}

function addressOf(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > PORT_MAX ? undefined : { host, port };
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

/** The members of `etcd://HOST:PORT[,HOST:PORT...]`; `orElse` names what the flag takes beside it. */
export function etcdEndpoints(url: string, flag: string, orElse = ""): readonly string[] {
  const endpoints = url.slice("etcd://".length).split(",");
  if (!url.startsWith("etcd://") || endpoints.some((one) => addressOf(one) === undefined)) {
    throw new UsageError(`--${flag} must be etcd://HOST:PORT[,HOST:PORT...]${orElse}, not ${JSON.stringify(url)}`);
  }
  return endpoints;
}

/** `https://HOST:PORT` and nothing more. */
export function checkHttpsUrl(text: string, flag: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === "https:" && url.pathname === "/" && url.search === "" && url.username === "";
  if (!isPlain) throw new UsageError(`--${flag} must be https://HOST:PORT, not ${JSON.stringify(text)}`);
  return url.origin;
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

/** A DNS subdomain, as names of nodes are. */
const NODE_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

export function checkNodeName(text: string): string {
  if (NODE_NAME.test(text)) return text;
  throw new UsageError(`--node-name must be lower case letters, digits, "-" and ".", not ${JSON.stringify(text)}`);
}
