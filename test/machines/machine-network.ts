import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { CommandError, type RunCommand, runCommand, withPrefix } from "../../lib/process/command.ts";
import { Machine } from "./machine.ts";

/** What does not get through: everything, or what goes to (`in`) or comes from (`out`) the machine. */
export type Cut = "both" | "in" | "out";

const TABLE = "cut";

/**
 * Machines made of network namespaces, each joined by a veth pair to the bridge of one more namespace, the switch. They see
 * each other and nothing else. The switch drops packets without a word, as a broken cable does.
 */
export class MachineNetwork implements AsyncDisposable {
  /** Unique among test runs at the same time. */
  readonly tag = randomBytes(3).toString("hex");
  readonly folder = mkdtempSync(path.join(tmpdir(), "keelson-machines-"));
  readonly #machines: Machine[] = [];
  readonly #switch = `m${this.tag}-switch`;
  readonly #runInSwitch: RunCommand = withPrefix(runCommand, ["nsenter", `--net=/run/netns/${this.#switch}`]);

  static async make(): Promise<MachineNetwork> {
    const network = new MachineNetwork();
    await runCommand(["ip", "netns", "add", network.#switch]);
    await network.#runInSwitch(["ip", "-batch", "-"], "link add lan type bridge\nlink set lan up\n");
    await network.#runInSwitch(
      ["nft", "-f", "-"],
      `table bridge ${TABLE} {
  set to { type ifname; }
  set from { type ifname; }
  chain forward {
    type filter hook forward priority 0;
    oifname @to drop
    iifname @from drop
  }
}
`,
    );
    return network;
  }

  /** A machine with this address and an empty folder. */
  async add(name: string, address: string): Promise<Machine> {
    const machine = new Machine(name, address, `m${this.tag}-${name}`, path.join(this.folder, name));
    this.#machines.push(machine);
    await runCommand(["ip", "netns", "add", machine.namespace]);
    await this.#runInSwitch(
      ["ip", "-batch", "-"],
      `link add ${portOf(machine)} type veth peer name eth0 netns ${machine.namespace}
link set ${portOf(machine)} master lan
link set ${portOf(machine)} up
`,
    );
    await machine.run(["ip", "-batch", "-"], `link set lo up\naddr add ${address}/24 dev eth0\nlink set eth0 up\n`);
    return machine;
  }

  /** Packets are lost from now on; nobody is told. */
  async cut(machine: Machine, what: Cut = "both"): Promise<void> {
    if (what !== "out") await this.#element("add", "to", machine);
    if (what !== "in") await this.#element("add", "from", machine);
  }

  async heal(machine: Machine): Promise<void> {
    for (const set of ["to", "from"]) {
      await this.#element("delete", set, machine).catch((error: unknown) => {
        if (!(error instanceof CommandError)) throw error;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine[Symbol.asyncDispose]()));
    await runCommand(["ip", "netns", "del", this.#switch]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #element(verb: "add" | "delete", set: string, machine: Machine): Promise<void> {
    await this.#runInSwitch(["nft", verb, "element", "bridge", TABLE, set, "{", `"${portOf(machine)}"`, "}"]);
  }
}

function portOf(machine: Machine): string {
  return `to-${machine.name}`;
}
