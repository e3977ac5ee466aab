import { CniCode, CniError } from "../skel/cni-error.ts";
import { formatAddress, type IpAddress, parseAddress, parseSubnet, type Subnet } from "../skel/ip-address.ts";
import { isObject, type JsonObject } from "../skel/request.ts";
import type { ResultRoute } from "../skel/result.ts";

/** Addresses that may be handed out, `first` to `last`, without the gateway. */
export interface Range {
  readonly subnet: Subnet;
  readonly first: bigint;
  readonly last: bigint;
  readonly gateway: bigint;
}

/** What `ipam` of a configuration says. An attachment gets one address of each pool. */
export interface PoolConfig {
  readonly pools: readonly (readonly Range[])[];
  readonly routes: readonly ResultRoute[];
  readonly dataDir: string;
}

const DEFAULT_DATA_DIR = "/var/lib/cni/networks";
const FIELDS = ["type", "ranges", "routes", "dataDir", "subnet", "rangeStart", "rangeEnd", "gateway"];
const RANGE_FIELDS = ["subnet", "rangeStart", "rangeEnd", "gateway"];

export function parsePoolConfig(config: JsonObject): PoolConfig {
  const ipam = config["ipam"];
  if (!isObject(ipam)) throw new CniError(CniCode.invalidConfig, "ipam is missing or not an object");
  if (ipam["type"] !== "host-local") throw unsupported("ipam.type", ipam["type"]);
  refuseUnknown(ipam, FIELDS, "ipam.");
  const dataDir = ipam["dataDir"] ?? DEFAULT_DATA_DIR;
  if (typeof dataDir !== "string" || !dataDir.startsWith("/"))
    throw invalid("ipam.dataDir", dataDir, "is not an absolute path");
  return { pools: parsePools(ipam, config), routes: parseRoutes(ipam["routes"]), dataDir };
}

/** A field that is not understood is refused by name and value, never ignored. */
export function refuseUnknown(object: JsonObject, known: readonly string[], prefix = ""): void {
  for (const [key, value] of Object.entries(object)) {
    if (!known.includes(key)) throw unsupported(`${prefix}${key}`, value);
  }
}

function parsePools(ipam: JsonObject, config: JsonObject): Range[][] {
  const runtime = isObject(config["runtimeConfig"]) ? config["runtimeConfig"]["ipRanges"] : undefined;
  const listed = [...asList(ipam["ranges"], "ipam.ranges"), ...asList(runtime, "runtimeConfig.ipRanges")];
  const pools = listed.map((pool, i) =>
    asList(pool, `ipam.ranges[${i}]`).map((range) => parseRange(range, `ipam.ranges[${i}]`)),
  );
  if (ipam["subnet"] !== undefined) {
    const flat = Object.fromEntries(RANGE_FIELDS.flatMap((key) => (ipam[key] === undefined ? [] : [[key, ipam[key]]])));
    pools.unshift([parseRange(flat, "ipam")]);
  }
  if (pools.length === 0) throw new CniError(CniCode.invalidConfig, "ipam names no range");
  if (pools.some((pool) => pool.length === 0))
    throw new CniError(CniCode.invalidConfig, "ipam has an empty list of ranges");
  refuseOverlap(pools.flat());
  for (const pool of pools) {
    if (new Set(pool.map((range) => range.subnet.family)).size > 1) {
      throw new CniError(CniCode.invalidConfig, "ipam mixes IPv4 and IPv6 in one list of ranges");
    }
  }
  return pools;
}

function asList(value: unknown, name: string): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(name, value, "is not a list");
  return value;
}

function parseRange(value: unknown, name: string): Range {
  if (!isObject(value)) throw invalid(name, value, "is not an object");
  refuseUnknown(value, RANGE_FIELDS, `${name}.`);
  const subnet = typeof value["subnet"] === "string" ? parseSubnet(value["subnet"]) : undefined;
  if (subnet === undefined) throw invalid(`${name}.subnet`, value["subnet"], "is not a subnet");
  // One address is the network's, one the gateway's, in IPv4 one for broadcast: what is smaller has none to give.
  if (subnet.last - subnet.first < 3n) throw invalid(`${name}.subnet`, value["subnet"], "is too small");
  const lowest = subnet.first + 1n;
  const highest = subnet.family === 4 ? subnet.last - 1n : subnet.last;
  const within = (key: string, otherwise: bigint): bigint => {
    if (value[key] === undefined) return otherwise;
    const address = typeof value[key] === "string" ? parseAddress(value[key]) : undefined;
    if (address?.family !== subnet.family || address.value < lowest || address.value > highest) {
      throw invalid(`${name}.${key}`, value[key], `is not an address of ${String(value["subnet"])}`);
    }
    return address.value;
  };
  const range = {
    subnet,
    first: within("rangeStart", lowest),
    last: within("rangeEnd", highest),
    gateway: within("gateway", lowest),
  };
  if (range.first > range.last) throw invalid(`${name}.rangeEnd`, value["rangeEnd"], "is before rangeStart");
  return range;
}

function refuseOverlap(ranges: readonly Range[]): void {
  for (const [i, a] of ranges.entries()) {
    for (const b of ranges.slice(i + 1)) {
      if (a.subnet.family === b.subnet.family && a.first <= b.last && b.first <= a.last) {
        throw new CniError(CniCode.invalidConfig, `ranges of ipam overlap at ${formatAddress(addressOf(b, b.first))}`);
      }
    }
  }
}

export function addressOf(range: Range, value: bigint): IpAddress {
  return { family: range.subnet.family, value };
}

function parseRoutes(value: unknown): ResultRoute[] {
  return asList(value, "ipam.routes").map((route) => {
    const { dst, gw, ...rest } = isObject(route) ? route : {};
    refuseUnknown(rest, [], "ipam.routes.");
    if (typeof dst !== "string" || parseSubnet(dst) === undefined)
      throw invalid("ipam.routes.dst", dst, "is not a subnet");
    if (gw === undefined) return { dst };
    if (typeof gw !== "string" || parseAddress(gw) === undefined)
      throw invalid("ipam.routes.gw", gw, "is not an address");
    return { dst, gw };
  });
}

function unsupported(name: string, value: unknown): CniError {
  return new CniError(CniCode.unsupportedField, `field ${name} is not supported`, `${name}=${JSON.stringify(value)}`);
}

function invalid(name: string, value: unknown, why: string): CniError {
  return new CniError(CniCode.invalidConfig, `${name} ${why}`, `${name}=${JSON.stringify(value)}`);
}
