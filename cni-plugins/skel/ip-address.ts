import { isIPv6 } from "node:net";
import { formatIpv4, parseIpv4 } from "../../lib/core/cidr.ts";

/** An address of either family as a number. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A subnet: `first` is its network address, `last` its last one (the broadcast address of IPv4). */
export interface Subnet {
  readonly family: 4 | 6;
  readonly prefixLength: number;
  readonly first: bigint;
  readonly last: bigint;
}

export function parseAddress(text: string): IpAddress | undefined {
  if (!text.includes(":")) {
    const value = parseIpv4(text);
    return value === undefined ? undefined : { family: 4, value: BigInt(value) };
  }
  const value = isIPv6(text) && !text.includes("%") && !text.includes(".") ? parseIpv6(text) : undefined;
  return value === undefined ? undefined : { family: 6, value };
}

function parseIpv6(text: string): bigint {
  const [head = "", tail] = text.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const zeros = new Array<string>(tail === undefined ? 0 : 8 - left.length - right.length).fill("0");
  return BigInt(`0x${[...left, ...zeros, ...right].map((group) => group.padStart(4, "0")).join("")}`);
}

/** The canonical text: one address has one, so that it can name a file (RFC 5952 for IPv6). */
export function formatAddress({ family, value }: IpAddress): string {
  if (family === 4) return formatIpv4(Number(value));
  const hex = value.toString(16).padStart(32, "0");
  const groups = Array.from({ length: 8 }, (_, i) => hex.slice(i * 4, i * 4 + 4).replace(/^0{1,3}/, ""));
  const [start, length] = longestZeroRun(groups);
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

function longestZeroRun(groups: readonly string[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let length = 0;
  for (const [i, group] of groups.entries()) {
    length = group === "0" ? length + 1 : 0;
    if (length > best[1]) best = [i - length + 1, length];
  }
  return best;
}

/** `address/prefix`; bits beyond the prefix are cleared. */
export function parseSubnet(text: string): Subnet | undefined {
  const [addressText = "", prefixText = "", ...rest] = text.split("/");
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefixText)) return undefined;
  const widthBits = address.family === 4 ? 32 : 128;
  const prefixLength = Number(prefixText);
  if (prefixLength > widthBits) return undefined;
  const size = 1n << BigInt(widthBits - prefixLength);
  const first = address.value - (address.value % size);
  return { family: address.family, prefixLength, first, last: first + size - 1n };
}
