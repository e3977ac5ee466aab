import { type IpAddress, parseAddress } from "../skel/ip-address.ts";
import type { Attachment } from "../skel/request.ts";

/**
 * The name of an attachment's end on the node follows from who it is, so that DEL and GC find it without the container's
 * namespace and without a record.
 */
export function hostInterface(network: string, { containerId, interfaceName }: Attachment): string {
  return `veth${hashHex(`${network}/${containerId}/${interfaceName}`).slice(0, 11)}`;
}

/** Marks an interface as made for this network; GC touches no other. */
export function linkAlias(network: string): string {
  return `cni:${network}`;
}

/**
 * A locally administered MAC address that follows from the IP address: when the address comes to another container,
 * what its neighbours remember stays true.
 */
export function macOf(addressText: string): string {
  const address = parseAddress(addressText) ?? ({ family: 4, value: 0n } satisfies IpAddress);
  return ["0a", "58", ...octets(Number(address.value & 0xffff_ffffn))].join(":");
}

/** For the end on the node; above every other MAC, so that the bridge never takes it for its own. */
export function hostMac(name: string): string {
  return ["fe", "58", ...octets(Number.parseInt(hashHex(name).slice(0, 8), 16))].join(":");
}

function octets(value: number): string[] {
  return [24, 16, 8, 0].map((shift) => ((value >>> shift) & 255).toString(16).padStart(2, "0"));
}

/** FNV-1a of 64 bits: container ids are random already, and a cryptographic hash costs start time. */
function hashHex(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}
