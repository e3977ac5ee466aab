import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { silentLog } from "../../lib/core/log.ts";
import { type RunCommand, runCommand, withPrefix } from "../../lib/process/command.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { ContainerNode } from "../../node-agent/container-node.ts";
import { KEELSON } from "../kit/keelson.ts";
import { type CommandResult, runCommand as runToEnd } from "../kit/kubectl.ts";
import { MachineProcess } from "./machine-process.ts";

/** A network namespace with a folder: what a command sees that is run "on a machine". */
export class Machine implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly namespace: string;
  /** Commands run here; the documentation's `/etc/keelson` and `/var/lib/keelson` are below it. */
  readonly folder: string;
  readonly processes = new Map<string, MachineProcess>();
  readonly run: RunCommand;
  readonly #enter: readonly string[];

  constructor(name: string, address: string, namespace: string, folder: string) {
    this.name = name;
    this.address = address;
    this.namespace = namespace;
    this.folder = folder;
    this.#enter = ["nsenter", `--net=/run/netns/${namespace}`];
    this.run = withPrefix(runCommand, this.#enter);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Where the command line prefix is wanted that runs a program on this machine. */
  get enter(): readonly string[] {
    return this.#enter;
  }

  /** To its end, as it is typed in the documentation. */
  async type(command: readonly string[], timeoutMs = 60_000): Promise<string> {
    const { code, stdout, stderr } = await this.typed(command, timeoutMs);
    if (code !== 0) throw new Error(`${this.name}: ${command.join(" ")}: exit ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  async typed(command: readonly string[], timeoutMs = 60_000): Promise<CommandResult> {
    return runToEnd(this.#commandLine(command), { cwd: this.folder, timeoutMs });
  }

  /** In the background, started again when it ends by itself (`Restart=always`). */
  supervise(name: string, command: readonly string[]): MachineProcess {
    const process = new MachineProcess(name, this.#commandLine(command), this.folder);
    this.processes.set(name, process);
    process.start();
    return process;
  }

  process(name: string): MachineProcess {
    const found = this.processes.get(name);
    if (found === undefined) throw new Error(`${this.name} has no process ${name}`);
    return found;
  }

  /** Folders that node agents were given here. */
  get nodeFolder(): string {
    return path.join(this.folder, "var/lib/keelson/node");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.processes.values()].map((process) => process.stop("SIGKILL")));
    const isNode = existsSync(path.join(this.nodeFolder, "containerd"));
    const parts = { clock: realClock, random: realRandom, log: silentLog, run: runCommand };
    if (isNode) await new ContainerNode(parts, { dataDir: this.nodeFolder }).stop();
    await runCommand(["ip", "netns", "del", this.namespace]);
  }

  #commandLine([program, ...args]: readonly string[]): string[] {
    const placed = args.map((arg) =>
      arg.replaceAll(/(?<=^|=|@)\/(?=etc\/keelson|var\/lib\/keelson|run\/keelson)/g, `${this.folder}/`),
    );
    const start = program === "keelson" ? [process.execPath, KEELSON] : [program!];
    return [...this.#enter, ...start, ...placed];
  }
}
