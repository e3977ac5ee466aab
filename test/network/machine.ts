import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { enterCommand, LocalNetwork } from "../../cluster/local-network.ts";
import { type NetworkPlan, planNetwork } from "../../cluster/network-plan.ts";
import { CommandError, type RunCommand, runCommand, withPrefix } from "../../lib/process/command.ts";

const OUTSIDE_ADDRESS = "198.51.100.1";
const MACHINE_ADDRESS = "198.51.100.2";

/**
 * A network namespace that plays the machine, joined to another that plays the world outside, which has a route to the
 * machine alone: only masqueraded packets are answered. The real machine's firewall and routes are never touched.
 */
export class TestMachine {
  /** Unique among tests that run at the same time. */
  readonly tag = randomBytes(3).toString("hex");
  readonly namespace = `t${this.tag}m`;
  readonly outside = `t${this.tag}o`;
  readonly run: RunCommand = withPrefix(runCommand, ["nsenter", `--net=/run/netns/${this.namespace}`]);
  readonly runOutside: RunCommand = withPrefix(runCommand, ["nsenter", `--net=/run/netns/${this.outside}`]);
  readonly network = new LocalNetwork(this.run);
  readonly outsideAddress = OUTSIDE_ADDRESS;
  readonly address = MACHINE_ADDRESS;
  readonly #plans: NetworkPlan[] = [];
  readonly #pods: string[] = [];
  readonly #children: ChildProcess[] = [];

  static async make(): Promise<TestMachine> {
    const machine = new TestMachine();
    await runCommand(["ip", "netns", "add", machine.outside]);
    await runCommand(["ip", "netns", "add", machine.namespace]);
    await machine.run(
      ["ip", "-batch", "-"],
      `link set lo up
link add eth0 mtu 1400 type veth peer name eth0 mtu 1400 netns ${machine.outside}
addr add ${MACHINE_ADDRESS}/24 dev eth0
link set eth0 up
`,
    );
    await machine.runOutside(
      ["ip", "-batch", "-"],
      `link set lo up\naddr add ${OUTSIDE_ADDRESS}/24 dev eth0\nlink set eth0 up\n`,
    );
    await machine.run(["ip", "route", "add", "default", "via", OUTSIDE_ADDRESS]);
    await machine.setForwarding("0");
    return machine;
  }

  async forwarding(): Promise<string> {
    return (await this.run(["cat", "/proc/sys/net/ipv4/ip_forward"])).trim();
  }

  async setForwarding(value: "0" | "1"): Promise<void> {
    await this.run(["tee", "/proc/sys/net/ipv4/ip_forward"], value);
  }

  /** A plan whose names no other test has; it is taken away with the machine. */
  async plan(suffix: string): Promise<NetworkPlan> {
    const plan = planNetwork(`${this.tag}${suffix}`, await this.network.usedRanges());
    this.#plans.push(plan);
    return plan;
  }

  /** Runs programs inside the node. */
  node(plan: NetworkPlan): RunCommand {
    return withPrefix(this.run, enterCommand(plan));
  }

  /** An empty network namespace, as a runtime makes one for a pod. */
  async podNamespace(name: string): Promise<{ path: string; run: RunCommand }> {
    const namespace = `t${this.tag}${name}`;
    await runCommand(["ip", "netns", "add", namespace]);
    this.#pods.push(namespace);
    const path = `/run/netns/${namespace}`;
    return { path, run: withPrefix(runCommand, ["nsenter", `--net=${path}`]) };
  }

  /** Answers every connection to the port with the address that it came from; ends with the machine. */
  async echoServer(where: string, port: number): Promise<void> {
    const program = `
      const server = require("node:net").createServer((socket) => socket.on("error", () => {}).end(socket.remoteAddress.replace("::ffff:", "")));
      server.listen(${port}, () => process.stdout.write("up"));`;
    const child = spawn("nsenter", [`--net=${where}`, process.execPath, "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#children.push(child);
    await new Promise((resolve) => child.stdout.once("data", resolve));
  }

  /** All that a cluster could leave behind on this machine, as text to compare. */
  async traces(): Promise<string> {
    const listed = await Promise.all([
      // Whether a link has a carrier by now is the kernel's business.
      this.run(["ip", "-o", "link", "show"]).then((links) => links.replace(/<.*?>|state \w+/g, "")),
      this.run(["ip", "-4", "route", "show", "table", "all"]),
      this.run(["nft", "list", "ruleset"]),
      this.forwarding(),
    ]);
    const namespaces = (await runCommand(["ip", "netns", "list"]))
      .split("\n")
      .filter((line) => line.includes(`keelson-${this.tag}`));
    return [...listed, ...namespaces].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const plan of this.#plans) await this.network.remove(plan);
    for (const name of [...this.#pods, this.namespace, this.outside]) await runCommand(["ip", "netns", "del", name]);
  }
}

/** What a server at that address answers, asked from where `run` runs; undefined when it cannot be reached. */
export async function ask(run: RunCommand, address: string, port: number): Promise<string | undefined> {
  const program = `
    const socket = require("node:net").connect(${port}, ${JSON.stringify(address)});
    socket.setTimeout(1500, () => process.exit(2));
    socket.on("error", () => process.exit(3)).pipe(process.stdout);`;
  try {
    return await run([process.execPath, "-e", program]);
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}
