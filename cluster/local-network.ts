import { type Cidr, cidrsOverlap, formatCidr, parseCidr } from "../lib/core/cidr.ts";
import { CommandError, type RunCommand, withPrefix } from "../lib/process/command.ts";
import { uplinkMtu } from "../node-agent/network/uplink-mtu.ts";
import { closeForwarding, openForwarding } from "./forward-firewall.ts";
import { acquireForwarding, releaseForwarding } from "./ip-forwarding.ts";
import type { NetworkPlan } from "./network-plan.ts";

/** Anything wider is a default route in disguise, as VPNs set (0.0.0.0/1 and 128.0.0.0/1). */
const SHORTEST_PREFIX = 8;
/** The node's end of the pair. */
const NODE_INTERFACE = "eth0";

/** What stays for a person to do, with the exact commands; empty where pods reach the outside already. */
export interface CreatedNetwork {
  readonly commandsToRun: readonly string[];
}

/** The planned ranges collide with something that has come to this machine since they were chosen. */
export class RangeTakenError extends Error {
  constructor(plan: NetworkPlan, cause: unknown) {
    super(`another network on this machine uses ${plan.clusterCidr}, the range of cluster ${plan.id}`, { cause });
    this.name = "RangeTakenError";
  }
}

/** The command line prefix that starts a program inside the node's network. */
export function enterCommand(plan: NetworkPlan): string[] {
  return ["nsenter", `--net=/run/netns/${plan.namespace}`];
}

/**
 * A node's own network on this machine: a network namespace, one veth pair, a route, one nftables table. Every step looks
 * first and can be repeated; `remove` needs nothing but the plan, whatever state it finds.
 */
export class LocalNetwork {
  readonly #run: RunCommand;

  constructor(run: RunCommand) {
    this.#run = run;
  }

  /** What the machine has addresses in or routes to: what a new plan must avoid. */
  async usedRanges(): Promise<Cidr[]> {
    const listed = await this.#run(["ip", "-4", "-json", "route", "show", "table", "all"]);
    const routes = JSON.parse(listed || "[]") as { dst: string }[];
    const ranges = routes.flatMap((route) => parseCidr(route.dst) ?? []);
    return ranges.filter((range) => range.prefixLength >= SHORTEST_PREFIX);
  }

  /** Makes what is missing of the planned network and adopts what is there. A first attempt that fails leaves nothing. */
  async create(plan: NetworkPlan): Promise<CreatedNetwork> {
    const isJoined = await this.#isJoined(plan);
    try {
      if (!isJoined) await this.#makeAndJoin(plan);
      return await this.#open(plan);
    } catch (error) {
      // What can be adopted may have pods in it.
      if (!isJoined) await this.remove(plan).catch(() => undefined);
      throw error;
    }
  }

  /** Takes everything of the plan out of the kernel. Processes inside the namespace must have ended before. */
  async remove(plan: NetworkPlan): Promise<void> {
    // By name as well: a process that lingers keeps a deleted namespace, and with it the pair, alive.
    await this.#ignoringAbsence(["ip", "link", "del", plan.machineInterface]);
    await closeForwarding(this.#run, plan);
    await releaseForwarding(this.#run, plan.table);
    await this.#ignoringAbsence(["nft", "delete", "table", "ip", plan.table]);
    await this.#ignoringAbsence(["ip", "netns", "del", plan.namespace]);
  }

  async #makeAndJoin(plan: NetworkPlan): Promise<void> {
    await this.#ignoringAbsence(["ip", "link", "del", plan.machineInterface]);
    const own = parseCidr(plan.clusterCidr);
    const isWithin = (range: Cidr): boolean =>
      own !== undefined && range.prefixLength >= own.prefixLength && cidrsOverlap(range, own);
    // A wider range, such as a VPN's, lives with a narrower one in it; the other way round somebody would lose packets.
    const rival = (await this.usedRanges()).find(isWithin);
    if (rival !== undefined) throw new RangeTakenError(plan, new Error(`there is a route to ${formatCidr(rival)}`));
    await this.#ensureNamespace(plan);
    await this.#join(plan);
  }

  /** The way for packets through node and machine. */
  async #open(plan: NetworkPlan): Promise<CreatedNetwork> {
    const node = withPrefix(this.#run, enterCommand(plan));
    await node(["tee", "/proc/sys/net/ipv4/ip_forward"], "1\n");
    await this.#run(["nft", "-f", "-"], table(plan));
    await acquireForwarding(this.#run, plan.table);
    return { commandsToRun: await openForwarding(this.#run, plan) };
  }

  /** True when both ends are there with their addresses, the route included. */
  async #isJoined(plan: NetworkPlan): Promise<boolean> {
    const node = withPrefix(this.#run, enterCommand(plan));
    try {
      const [machine, route, inside] = await Promise.all([
        this.#run(["ip", "-o", "-4", "addr", "show", "dev", plan.machineInterface, "up"]),
        this.#run(["ip", "-4", "route", "show", plan.clusterCidr, "dev", plan.machineInterface]),
        node(["ip", "-o", "-4", "addr", "show", "dev", NODE_INTERFACE, "up"]),
      ]);
      return machine.includes(`${plan.machineAddress}/`) && route !== "" && inside.includes(`${plan.nodeAddress}/`);
    } catch (error) {
      if (error instanceof CommandError) return false;
      throw error;
    }
  }

  async #ensureNamespace(plan: NetworkPlan): Promise<void> {
    try {
      await this.#run(["ip", "netns", "add", plan.namespace]);
    } catch (error) {
      if (!(error instanceof CommandError && error.stderr.includes("File exists"))) throw error;
      // A file without a namespace behind it is what a start that was killed half-way leaves.
      const works = await withPrefix(
        this.#run,
        enterCommand(plan),
      )(["true"]).then(
        () => true,
        () => false,
      );
      if (works) return;
      await this.#run(["ip", "netns", "del", plan.namespace]);
      await this.#run(["ip", "netns", "add", plan.namespace]);
    }
  }

  async #join(plan: NetworkPlan): Promise<void> {
    const name = plan.machineInterface;
    const mtu = await uplinkMtu(this.#run);
    const machine = [
      `link add ${name} mtu ${mtu} type veth peer name ${NODE_INTERFACE} mtu ${mtu} netns ${plan.namespace}`,
      `addr add ${plan.machineAddress}/${plan.linkPrefixLength} dev ${name}`,
      `link set ${name} up`,
      // Not "replace": when two clusters chose one range at one moment, only one of them gets this route.
      `route add ${plan.clusterCidr} via ${plan.nodeAddress} dev ${name}`,
    ];
    const inside = [
      "link set lo up",
      `addr add ${plan.nodeAddress}/${plan.linkPrefixLength} dev ${NODE_INTERFACE}`,
      `link set ${NODE_INTERFACE} up`,
      `route add default via ${plan.machineAddress}`,
    ];
    try {
      await this.#run(["ip", "-batch", "-"], `${machine.join("\n")}\n`);
    } catch (error) {
      const taken = error instanceof CommandError && error.stderr.includes("File exists");
      await this.#ignoringAbsence(["ip", "link", "del", name]);
      throw taken ? new RangeTakenError(plan, error) : error;
    }
    await withPrefix(this.#run, enterCommand(plan))(["ip", "-batch", "-"], `${inside.join("\n")}\n`);
  }

  async #ignoringAbsence(argv: readonly string[]): Promise<void> {
    try {
      await this.#run(argv);
    } catch (error) {
      const absent = /Cannot find device|No such file or directory|does not exist/;
      if (!(error instanceof CommandError && absent.test(error.stderr))) throw error;
    }
  }
}

/**
 * Added, emptied and filled in one transaction, so that it is right whether it was there or not. An address of the
 * cluster that nobody has would go to and fro between machine and node: it is refused on arrival, before the machine
 * answers with a redirect instead.
 */
function table(plan: NetworkPlan): string {
  const own = `"${plan.machineInterface}"`;
  return `add table ip ${plan.table}
add chain ip ${plan.table} postrouting { type nat hook postrouting priority srcnat; }
add chain ip ${plan.table} prerouting { type filter hook prerouting priority filter; }
flush chain ip ${plan.table} postrouting
flush chain ip ${plan.table} prerouting
add rule ip ${plan.table} postrouting ip saddr ${plan.clusterCidr} oifname != ${own} masquerade
add rule ip ${plan.table} prerouting iifname ${own} fib daddr oifname ${own} reject with icmp host-unreachable
`;
}
