/** An IPv4 range in canonical form: no bits set beyond the prefix. */
export interface Cidr {
  /** First address as an unsigned 32-bit number. */
  readonly base: number;
  readonly prefixLength: number;
}

/** An IPv4 address in dotted form as an unsigned 32-bit number; undefined when it is not one. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    // A leading zero is refused: some parsers take it for octal (CVE-2021-29923).
    if (Number(part) > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** The dotted form of an unsigned 32-bit number. */
export function formatIpv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
}

/** Number of addresses in the range. */
export function cidrSize(cidr: Cidr): number {
  return 2 ** (32 - cidr.prefixLength);
}

/** `a.b.c.d/n`, host bits cleared; undefined when it is not an IPv4 range. A bare address is a range of one. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = "", prefix = "32", ...rest] = text.split("/");
  const value = parseIpv4(address);
  if (value === undefined || rest.length > 0 || !/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) return undefined;
  const size = 2 ** (32 - Number(prefix));
  return { base: value - (value % size), prefixLength: Number(prefix) };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIpv4(cidr.base)}/${cidr.prefixLength}`;
}

/** True when the two ranges share an address. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return a.base < b.base + cidrSize(b) && b.base < a.base + cidrSize(a);
}
