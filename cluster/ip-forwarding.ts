import type { RunCommand } from "../lib/process/command.ts";

const FORWARD_FILE = "/proc/sys/net/ipv4/ip_forward";

/**
 * Who switched forwarding on must switch it off again, but not while another cluster needs it. The debt is kept where it
 * can neither get lost nor outlive its cause: as an empty chain of this name in the nftables table of one cluster. It goes
 * on to another cluster when its holder leaves first, and is gone, like the setting, when the machine restarts.
 */
const DEBT_CHAIN = "forwarding_was_off";
const TABLE_FORM = /^table ip (keelson-[a-z0-9]+)$/gm;

/** Switches IPv4 forwarding on if it is off. `table` must exist. */
export async function acquireForwarding(run: RunCommand, table: string): Promise<void> {
  if ((await run(["cat", FORWARD_FILE])).trim() === "1") return;
  await run(["nft", "add", "chain", "ip", table, DEBT_CHAIN]);
  await run(["tee", FORWARD_FILE], "1\n");
}

/** Before `table` goes: hands its debt on, or pays it when no other cluster is left. */
export async function releaseForwarding(run: RunCommand, table: string): Promise<void> {
  const chains = await run(["nft", "list", "chains", "ip"]);
  if (!new RegExp(`table ip ${table} \\{[^}]*?chain ${DEBT_CHAIN} \\{`).test(withoutChainBodies(chains))) return;
  const others = async (): Promise<string[]> =>
    [...(await run(["nft", "list", "tables", "ip"])).matchAll(TABLE_FORM)]
      .map((match) => match[1]!)
      .filter((name) => name !== table);
  const handOn = async (heir: string): Promise<void> => {
    await run(["nft", "add", "chain", "ip", heir, DEBT_CHAIN]);
  };
  const [heir] = await others();
  if (heir !== undefined) return handOn(heir);
  await run(["tee", FORWARD_FILE], "0\n");
  // A cluster that came up meanwhile has still seen it switched on.
  const [late] = await others();
  if (late === undefined) return;
  await handOn(late);
  await run(["tee", FORWARD_FILE], "1\n");
}

/** `nft list chains` prints `chain name {` ... `}`: drop the closing of chains, so that `}` closes a table. */
function withoutChainBodies(text: string): string {
  return text.replace(/\n\t\t[^\n]*/g, "").replace(/\n\t\}/g, "");
}
