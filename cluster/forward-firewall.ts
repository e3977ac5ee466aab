import { CommandError, type RunCommand } from "../lib/process/command.ts";
import type { NetworkPlan } from "./network-plan.ts";

/** Chain in which Docker leaves room for rules of others; it is asked before Docker's own. */
const DOCKER_CHAIN = "DOCKER-USER";

interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/**
 * Lets forwarded packets of the node through where another firewall would drop them. An accept in a table of our own does
 * not help: every base chain decides for itself. Where that firewall has a place for rules of others a tagged rule goes
 * there; for the rest the exact commands are returned, for a person to run.
 */
export async function openForwarding(run: RunCommand, plan: NetworkPlan): Promise<string[]> {
  const rules = await listIptables(run);
  const hasDockerChain = rules.includes(`-N ${DOCKER_CHAIN}`);
  if (hasDockerChain) {
    for (const rule of dockerRules(plan)) {
      const known = rules.some((line) => line === `-A ${rule.join(" ")}`);
      if (!known) await run(["iptables", "-w", "5", "-I", ...rule]);
    }
  }
  const commands: string[] = [];
  for (const chain of await droppingChains(run)) {
    const isIptables = chain.family === "ip" && chain.table === "filter" && chain.name === "FORWARD";
    if (isIptables && (hasDockerChain || allowsAlready(rules, plan))) continue;
    commands.push(...(await commandsFor(run, chain, isIptables, plan)));
  }
  return commands;
}

/** Takes our rules out of other firewalls again; whoever put them there. */
export async function closeForwarding(run: RunCommand, plan: NetworkPlan): Promise<void> {
  for (const line of await listIptables(run)) {
    const words = line.split(" ");
    const tag = words[words.indexOf("--comment") + 1];
    if (words[0] !== "-A" || tag?.replaceAll('"', "") !== plan.table) continue;
    await run(["iptables", "-w", "5", "-D", ...words.slice(1).map((word) => word.replaceAll('"', ""))]);
  }
}

function dockerRules(plan: NetworkPlan): string[][] {
  return ["-i", "-o"].map((direction) => forwardRule(DOCKER_CHAIN, direction, plan));
}

function forwardRule(chain: string, direction: string, plan: NetworkPlan): string[] {
  return [chain, direction, plan.machineInterface, "-m", "comment", "--comment", plan.table, "-j", "ACCEPT"];
}

function allowsAlready(rules: readonly string[], plan: NetworkPlan): boolean {
  const accepts = (direction: string): boolean =>
    rules.some((line) => line.includes(` ${direction} ${plan.machineInterface} `) && line.endsWith("-j ACCEPT"));
  return accepts("-i") && accepts("-o");
}

async function listIptables(run: RunCommand): Promise<string[]> {
  try {
    return (await run(["iptables", "-w", "5", "-S"])).split("\n");
  } catch (error) {
    // Without iptables nobody has rules there. Where the kernel lacks it the program says so with a status of its own.
    if (error instanceof CommandError) return [];
    throw error;
  }
}

async function droppingChains(run: RunCommand): Promise<NftChain[]> {
  const listed = JSON.parse(await run(["nft", "-j", "list", "chains"])) as { nftables: { chain?: NftChain }[] };
  return listed.nftables
    .flatMap((entry) => (entry.chain === undefined ? [] : [entry.chain]))
    .filter((chain) => chain.hook === "forward" && ["ip", "inet"].includes(chain.family))
    .filter((chain) => chain.policy === "drop" || chain.table === "firewalld");
}

async function commandsFor(
  run: RunCommand,
  chain: NftChain,
  isIptables: boolean,
  plan: NetworkPlan,
): Promise<string[]> {
  const name = plan.machineInterface;
  if (chain.table === "firewalld") return [`firewall-cmd --zone=trusted --add-interface=${name}`];
  if (isIptables)
    return ["-i", "-o"].map((direction) => `iptables -I ${forwardRule("FORWARD", direction, plan).join(" ")}`);
  const place = `${chain.family} ${chain.table} ${chain.name}`;
  const present = await run(["nft", "list", "chain", chain.family, chain.table, chain.name]);
  return ["iifname", "oifname"]
    .filter((direction) => !present.includes(`${direction} "${name}" accept`))
    .map((direction) => `nft insert rule ${place} ${direction} ${name} accept comment ${plan.table}`);
}
