import type { RunCommand } from "../../lib/process/command.ts";

const DEFAULT_MTU = 1500;

/**
 * Largest packet in bytes that leaves by the default route. Pods use it, so that nobody has to learn a smaller one from
 * messages that firewalls like to drop.
 */
export async function uplinkMtu(run: RunCommand): Promise<number> {
  const routes = JSON.parse((await run(["ip", "-4", "-json", "route", "show", "default"])) || "[]") as {
    dev?: string;
  }[];
  const devices = new Set(routes.flatMap((route) => route.dev ?? []));
  if (devices.size === 0) return DEFAULT_MTU;
  const links = JSON.parse(await run(["ip", "-json", "link", "show"])) as { ifname: string; mtu: number }[];
  const sizes = links.filter((link) => devices.has(link.ifname)).map((link) => link.mtu);
  return Math.min(...(sizes.length === 0 ? [DEFAULT_MTU] : sizes));
}
