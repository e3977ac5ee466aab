import { CniCode, CniError } from "../skel/cni-error.ts";
import { type Exec, ExecError } from "../skel/system.ts";
import type { PortMapping } from "./port-mappings.ts";

/** Bit of the connection mark that says "came by a port of the node". */
const MARK = "0x00100000";

interface NftRule {
  readonly handle: number;
  readonly comment?: string;
  readonly expr: unknown;
}

/**
 * Ports of the node that lead to containers, as rules of one nftables table per network. A rule carries its owner in its
 * comment, so that it is found again without a record. IPv4.
 */
export class PortTable {
  readonly #exec: Exec;
  readonly #table: string;

  constructor(exec: Exec, network: string) {
    this.#exec = exec;
    this.#table = `cni-ports-${network}`;
  }

  /** Publishes all mappings or none. `address` is the container's, with its prefix length. */
  publish(owner: string, address: string, mappings: readonly PortMapping[]): void {
    const taken = new Map(this.#rules().map((rule) => [placeOf(rule.comment), rule.comment]));
    for (const mapping of mappings) {
      if (!taken.has(place(mapping))) continue;
      throw new CniError(
        CniCode.tryAgainLater,
        "a port of the node is in use",
        `${place(mapping)}: ${taken.get(place(mapping))}`,
      );
    }
    const [target = ""] = address.split("/");
    this.#nft([
      ...this.#frame(),
      `add element ip ${this.#table} subnets { ${address} }`,
      ...mappings.map((mapping) => this.#rule(owner, target, mapping)),
    ]);
  }

  /** Nothing published is success. */
  withdraw(owner: string): void {
    this.#delete((each) => each === owner);
  }

  /** Withdraws what belongs to none of `owners`. */
  collect(owners: ReadonlySet<string>): void {
    this.#delete((each) => !owners.has(each));
  }

  /** How many ports the owner has. */
  count(owner: string): number {
    return this.#rules().filter((rule) => ownerOf(rule.comment) === owner).length;
  }

  #frame(): string[] {
    const table = `ip ${this.#table}`;
    // A connection from a container back to its own subnet would be answered past this node's address: it is masked.
    return [
      `add table ${table}`,
      `add set ${table} subnets { type ipv4_addr; flags interval; auto-merge; }`,
      `add chain ${table} ports`,
      `add chain ${table} prerouting { type nat hook prerouting priority dstnat; }`,
      `add chain ${table} output { type nat hook output priority -100; }`,
      `add chain ${table} postrouting { type nat hook postrouting priority srcnat; }`,
      ...["prerouting", "output", "postrouting"].map((chain) => `flush chain ${table} ${chain}`),
      `add rule ${table} prerouting fib daddr type local jump ports`,
      `add rule ${table} output ip daddr != 127.0.0.0/8 fib daddr type local jump ports`,
      `add rule ${table} postrouting ip saddr @subnets ct mark and ${MARK} == ${MARK} masquerade`,
    ];
  }

  #rule(owner: string, target: string, mapping: PortMapping): string {
    const { protocol, hostPort, containerPort, hostAddress } = mapping;
    const destination = hostAddress === undefined ? "" : `ip daddr ${hostAddress} `;
    const match = `${destination}meta l4proto ${protocol} th dport ${hostPort}`;
    const comment = `${owner} ${place(mapping)}`;
    return `add rule ip ${this.#table} ports ${match} ct mark set ct mark or ${MARK} dnat to ${target}:${containerPort} comment "${comment}"`;
  }

  #delete(isGone: (owner: string) => boolean): void {
    const gone = this.#rules().filter((rule) => isGone(ownerOf(rule.comment)));
    if (gone.length === 0) return;
    this.#nft(gone.map((rule) => `delete rule ip ${this.#table} ports handle ${rule.handle}`));
  }

  #rules(): NftRule[] {
    try {
      const listed = JSON.parse(this.#exec(["nft", "-j", "-a", "list", "chain", "ip", this.#table, "ports"])) as {
        nftables: { rule?: NftRule }[];
      };
      return listed.nftables.flatMap((entry) => (entry.rule === undefined ? [] : [entry.rule]));
    } catch (error) {
      if (error instanceof ExecError && error.stderr.includes("No such file")) return [];
      throw error;
    }
  }

  #nft(commands: readonly string[]): void {
    this.#exec(["nft", "-f", "-"], `${commands.join("\n")}\n`);
  }
}

/** What two mappings cannot share. */
function place({ protocol, hostPort, hostAddress }: PortMapping): string {
  return `${hostAddress ?? "*"}:${hostPort}/${protocol}`;
}

function ownerOf(comment: string | undefined): string {
  return comment?.split(" ")[0] ?? "";
}

function placeOf(comment: string | undefined): string {
  return comment?.split(" ")[1] ?? "";
}
