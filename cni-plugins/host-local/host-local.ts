import { existsSync } from "node:fs";
import { join } from "node:path";
import { CniCode, CniError } from "../skel/cni-error.ts";
import { formatAddress, type IpAddress, parseAddress } from "../skel/ip-address.ts";
import type { Plugin } from "../skel/plugin.ts";
import { type Attachment, isObject, type Request } from "../skel/request.ts";
import type { ResultAddress } from "../skel/result.ts";
import { addressOf, type PoolConfig, parsePoolConfig, type Range } from "./pool.ts";
import { Reservations } from "./reservations.ts";

/** Hands out addresses of ranges, with the reservations as files on this machine. */
export const hostLocal: Plugin = {
  add(request) {
    const config = parsePoolConfig(request.config);
    const store = storeOf(config, request);
    store.ensureFolder();
    const reserved = store.list();
    const existing = ownedBy(reserved, request);
    if (existing.length > 0) {
      const details = `${request.containerId} ${request.interfaceName} has ${existing.join(", ")}`;
      throw new CniError(CniCode.alreadyAttached, "this interface has an address already", details);
    }
    const asked = askedAddresses(request);
    const ips: ResultAddress[] = [];
    try {
      for (const [index, ranges] of config.pools.entries())
        ips.push(reserveOne(store, request, ranges, index, reserved, asked));
      if (asked.length > 0) {
        throw new CniError(
          CniCode.invalidConfig,
          "an address that was asked for is in no range",
          asked.map(formatAddress).join(", "),
        );
      }
    } catch (error) {
      for (const ip of ips) store.release(ip.address.split("/")[0]!);
      throw error;
    }
    return { ips, routes: config.routes };
  },

  del(request) {
    const store = storeOf(parsePoolConfig(request.config), request);
    for (const address of ownedBy(store.list(), request)) store.release(address);
  },

  check(request) {
    const store = storeOf(parsePoolConfig(request.config), request);
    if (ownedBy(store.list(), request).length === 0) {
      const details = `${request.containerId} ${request.interfaceName}`;
      throw new CniError(CniCode.checkFailed, "this interface has no reserved address", details);
    }
  },

  gc(request) {
    const store = storeOf(parsePoolConfig(request.config), request);
    const valid = new Set(request.validAttachments.map(keyOf));
    for (const [address, owner] of store.list()) {
      if (!valid.has(keyOf(owner))) store.release(address);
    }
    store.removeTemporaries((pid) => existsSync(`/proc/${pid}`));
  },

  status(request) {
    const config = parsePoolConfig(request.config);
    const reserved = storeOf(config, request).list();
    for (const ranges of config.pools) {
      if (!hasFree(ranges, reserved))
        throw new CniError(CniCode.notAvailable, "all addresses are in use", describe(ranges));
    }
  },
};

function storeOf(config: PoolConfig, request: Request): Reservations {
  return new Reservations(join(config.dataDir, request.network), String(process.pid));
}

function keyOf(owner: Attachment): string {
  return `${owner.containerId}\n${owner.interfaceName}`;
}

function ownedBy(reserved: ReadonlyMap<string, Attachment>, owner: Attachment): string[] {
  return [...reserved].filter(([, other]) => keyOf(other) === keyOf(owner)).map(([address]) => address);
}

function reserveOne(
  store: Reservations,
  request: Request,
  ranges: readonly Range[],
  pool: number,
  reserved: ReadonlyMap<string, Attachment>,
  asked: IpAddress[],
): ResultAddress {
  const wanted = asked.findIndex((address) => rangeOf(ranges, address) !== undefined);
  if (wanted >= 0) {
    const [address] = asked.splice(wanted, 1);
    const text = formatAddress(address!);
    const range = rangeOf(ranges, address!)!;
    if (address!.value === range.gateway)
      throw new CniError(CniCode.invalidConfig, "the asked address is the gateway's", text);
    if (!store.reserve(text, request)) throw new CniError(CniCode.tryAgainLater, "the asked address is in use", text);
    return resultAddress(range, address!);
  }
  for (const [range, address] of candidates(ranges, parseAddress(store.hint(pool)))) {
    const text = formatAddress(address);
    // Whoever is not in the list may still have come since: only the reservation itself decides.
    if (reserved.has(text) || !store.reserve(text, request)) continue;
    store.setHint(pool, text);
    return resultAddress(range, address);
  }
  throw new CniError(CniCode.tryAgainLater, "all addresses are in use", describe(ranges));
}

function resultAddress(range: Range, address: IpAddress): ResultAddress {
  return {
    address: `${formatAddress(address)}/${range.subnet.prefixLength}`,
    gateway: formatAddress(addressOf(range, range.gateway)),
  };
}

function rangeOf(ranges: readonly Range[], { family, value }: IpAddress): Range | undefined {
  return ranges.find((range) => range.subnet.family === family && value >= range.first && value <= range.last);
}

/** Every address once, those after `last` first. */
function* candidates(ranges: readonly Range[], last: IpAddress | undefined): Generator<[Range, IpAddress]> {
  const start = last === undefined ? undefined : rangeOf(ranges, last);
  const from = start === undefined ? 0 : ranges.indexOf(start);
  for (let i = 0; i <= ranges.length; i++) {
    const range = ranges[(from + i) % ranges.length]!;
    const isStart = range === start;
    const low = isStart && i === 0 ? last!.value + 1n : range.first;
    const high = isStart && i > 0 ? last!.value : range.last;
    if (start === undefined && i === ranges.length) return;
    for (let value = low; value <= high; value++) {
      if (value !== range.gateway) yield [range, addressOf(range, value)];
    }
  }
}

function hasFree(ranges: readonly Range[], reserved: ReadonlyMap<string, Attachment>): boolean {
  for (const [, address] of candidates(ranges, undefined)) {
    if (!reserved.has(formatAddress(address))) return true;
  }
  return false;
}

function describe(ranges: readonly Range[]): string {
  return ranges
    .map((range) => `${formatAddress(addressOf(range, range.first))} to ${formatAddress(addressOf(range, range.last))}`)
    .join(", ");
}

/** Addresses that the caller wants: CNI_ARGS `IP`, `args.cni.ips` and the capability `ips`. */
function askedAddresses(request: Request): IpAddress[] {
  const fromArgs = request.args.get("IP");
  const cni =
    isObject(request.config["args"]) && isObject(request.config["args"]["cni"]) ? request.config["args"]["cni"] : {};
  const runtime = isObject(request.config["runtimeConfig"]) ? request.config["runtimeConfig"] : {};
  const texts = [fromArgs === undefined ? [] : fromArgs.split(","), cni["ips"] ?? [], runtime["ips"] ?? []].flat();
  return texts.map((text) => {
    const address = typeof text === "string" ? parseAddress(text.split("/")[0]!) : undefined;
    if (address === undefined) {
      throw new CniError(CniCode.invalidConfig, "an address that was asked for is none", JSON.stringify(text));
    }
    return address;
  });
}
