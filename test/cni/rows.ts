import { hostInterface } from "../../cni-plugins/bridge/link-names.ts";

/** A call with something wrong, and what the plugin must answer. */
export interface CniRow {
  readonly name: string;
  readonly command?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Members of the installed configuration to replace, or all of standard input. */
  readonly config?: Readonly<Record<string, unknown>> | string;
  readonly code: number;
  /** Must be part of the answer's text. */
  readonly says?: string;
}

const ipam = (range: Record<string, unknown>) => ({
  ipam: { type: "host-local", ranges: [[range]], dataDir: "/nonexistent" },
});

/** RELIABILITY §4, "CNI stdin/env", as far as one call shows it. */
export const ROWS: readonly CniRow[] = [
  { name: "empty standard input", config: "", code: 6 },
  { name: "standard input that is not JSON", config: "{]", code: 6 },
  { name: "standard input that is no object", config: '"x"', code: 6 },
  { name: "an unknown cniVersion", config: { cniVersion: "7.0.0" }, code: 1, says: "7.0.0" },
  { name: "an unsupported field, named with its value", config: { vlan: 42 }, code: 2, says: "vlan=42" },
  { name: "an unknown field, named with its value", config: { frob: "x" }, code: 2, says: 'frob="x"' },
  {
    name: "an unsupported field of ipam",
    config: { ipam: { type: "host-local", frob: 1 } },
    code: 2,
    says: "ipam.frob=1",
  },
  { name: "no CNI_CONTAINERID", env: { CNI_CONTAINERID: "" }, code: 4, says: "CNI_CONTAINERID" },
  { name: "a CNI_CONTAINERID with ..", env: { CNI_CONTAINERID: "../../etc" }, code: 4 },
  { name: "a CNI_CONTAINERID with /", env: { CNI_CONTAINERID: "a/b" }, code: 4 },
  { name: "no CNI_IFNAME", env: { CNI_IFNAME: "" }, code: 4, says: "CNI_IFNAME" },
  { name: "a CNI_IFNAME of ..", env: { CNI_IFNAME: ".." }, code: 4 },
  { name: "a CNI_IFNAME with /", env: { CNI_IFNAME: "a/b" }, code: 4 },
  { name: "a CNI_IFNAME over 15 characters", env: { CNI_IFNAME: "x".repeat(16) }, code: 4 },
  { name: "a CNI_IFNAME for ip -batch", env: { CNI_IFNAME: "a\nlink" }, code: 4 },
  { name: "a CNI_IFNAME of two words", env: { CNI_IFNAME: "a b" }, code: 4 },
  { name: "no CNI_NETNS", env: { CNI_NETNS: "" }, code: 4, says: "CNI_NETNS" },
  { name: "a CNI_NETNS that is not there", env: { CNI_NETNS: "/run/netns/none" }, code: 100 },
  { name: "a CNI_NETNS for a shell", env: { CNI_NETNS: "/run/$(reboot)" }, code: 100 },
  { name: "no CNI_COMMAND", command: "", code: 4 },
  { name: "an unknown CNI_COMMAND", command: "FROB", code: 4 },
  { name: "CNI_ARGS that are no pairs", env: { CNI_ARGS: "x" }, code: 4 },
  { name: "no network name", config: { name: "" }, code: 7 },
  { name: "a network name that leads out of its folder", config: { name: "../x" }, code: 7 },
  { name: "no ipam", config: { ipam: undefined }, code: 7 },
  { name: "a bad subnet", config: ipam({ subnet: "10.0.0.0/40" }), code: 7 },
  { name: "a range outside its subnet", config: ipam({ subnet: "10.0.0.0/24", rangeStart: "10.1.0.1" }), code: 7 },
  { name: "a gateway outside its subnet", config: ipam({ subnet: "10.0.0.0/24", gateway: "10.1.0.1" }), code: 7 },
  { name: "a subnet without room", config: ipam({ subnet: "10.0.0.0/31" }), code: 7 },
  { name: "CHECK without its result", command: "CHECK", code: 101 },
  { name: "GC without its list", command: "GC", code: 7 },
  { name: "GC of a version that has none", command: "GC", config: { cniVersion: "1.0.0" }, code: 1 },
];

export function linkName(id: string): string {
  return hostInterface("pods", { containerId: id, interfaceName: "eth0" });
}
