import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { DnsConfig } from "../runtime/runtime.ts";

export interface DnsSettings {
  /** Addresses of the cluster's DNS; empty while it has none. */
  readonly clusterServers: readonly string[];
  readonly clusterDomain: string;
  /** Text of the node's own resolv.conf. */
  readonly resolvConf: string;
}

/** A pod's resolver settings by its `dnsPolicy`; limits as glibc's and upstream's (3 servers, 32 searches). */
export function dnsConfigOf(pod: Pod, settings: DnsSettings): DnsConfig {
  const host = parseResolvConf(settings.resolvConf);
  const policy = pod.spec?.dnsPolicy ?? "ClusterFirst";
  const onHost = pod.spec?.hostNetwork === true && policy === "ClusterFirst";
  let base: DnsConfig = host;
  if (policy === "None") base = { servers: [], searches: [], options: [] };
  else if (policy !== "Default" && !onHost && settings.clusterServers.length > 0) {
    const domain = settings.clusterDomain;
    const own = [`${pod.metadata?.namespace}.svc.${domain}`, `svc.${domain}`, domain];
    base = { servers: settings.clusterServers, searches: [...own, ...host.searches], options: ["ndots:5"] };
  }
  const extra = pod.spec?.dnsConfig;
  const options = new Map(base.options.map((option) => [option.split(":")[0]!, option]));
  for (const { name = "", value } of extra?.options ?? [])
    options.set(name, value === undefined ? name : `${name}:${value}`);
  return {
    servers: unique([...base.servers, ...(extra?.nameservers ?? [])]).slice(0, 3),
    searches: unique([...base.searches, ...(extra?.searches ?? [])]).slice(0, 32),
    options: [...options.values()],
  };
}

function parseResolvConf(text: string): DnsConfig {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const last = (name: string): readonly string[] => lines.findLast((words) => words[0] === name)?.slice(1) ?? [];
  return {
    servers: lines.filter((words) => words[0] === "nameserver").flatMap((words) => words.slice(1, 2)),
    searches: last("search"),
    options: last("options"),
  };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
