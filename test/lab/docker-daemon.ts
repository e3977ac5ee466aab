import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "../kit/eventually.ts";
import { runCommand } from "../kit/kubectl.ts";

const CGROUPS = "/sys/fs/cgroup";
const SETTINGS = "/etc/docker";
const STOP_LIMIT_MS = 60_000;
const STOP_POLL_MS = 50;

/** In namespaces of its own: settings and sockets of the machine's Docker are hidden, and what it mounts goes with it. */
const START = `
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs ${SETTINGS}
ip link set lo up
exec "$@"
`;

/**
 * A Docker daemon started by hand. It has its own network, mount and process namespaces: bridges, firewall rules
 * (`FORWARD DROP`), mounts, its containerd and every container go when it goes, also when it is killed. Ports that
 * it publishes are reached from inside (`inside`). Needs root.
 */
export class DockerDaemon {
  readonly host: string;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "keelson-docker-"));
  readonly #cgroup = path.basename(this.#folder);
  readonly #hadSettings = existsSync(SETTINGS);
  readonly #child: ChildProcess;

  private constructor() {
    this.host = `unix://${this.#folder}/docker.sock`;
    const log = openSync(path.join(this.#folder, "log"), "w");
    const daemon = [
      "dockerd",
      `--host=${this.host}`,
      `--data-root=${this.#folder}/data`,
      `--exec-root=${this.#folder}/exec`,
      `--pidfile=${this.#folder}/pid`,
      `--cgroup-parent=/${this.#cgroup}`,
    ];
    const namespaces = ["--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const make = this.#hadSettings ? "" : `mkdir ${SETTINGS}`;
    this.#child = spawn("unshare", [...namespaces, "sh", "-c", `${make}${START}`, "sh", ...daemon], {
      stdio: ["ignore", log, log],
      env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    });
  }

  static async start(): Promise<DockerDaemon> {
    const daemon = new DockerDaemon();
    try {
      await eventually(() => daemon.#answers());
    } catch (error) {
      const log = daemon.#log();
      await daemon.stop();
      throw new Error(`dockerd does not start: ${log}`, { cause: error });
    }
    return daemon;
  }

  /** What makes a command run where published ports are. */
  get inside(): readonly string[] {
    return ["nsenter", `--net=/proc/${this.#child.pid}/ns/net`];
  }

  /** Of the `docker` command. */
  async docker(args: readonly string[]): Promise<string> {
    const result = await runCommand(["docker", ...args], { env: { DOCKER_HOST: this.host } });
    if (result.code !== 0) throw new Error(`docker ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  }

  /** As a crash: what `docker kill` ends stays down. */
  async crash(container: string): Promise<void> {
    const pid = (await this.docker(["inspect", "--format={{.State.Pid}}", container])).trim();
    const kill = ["nsenter", `--pid=/proc/${this.#child.pid}/ns/pid_for_children`, "kill", "-KILL", pid];
    const result = await runCommand(kill);
    if (result.code !== 0) throw new Error(`${kill.join(" ")}: ${result.stderr}`);
  }

  /** Stops it with its containers, and deletes all that it made. */
  async stop(): Promise<void> {
    await this.#end();
    removeCgroups(this.#cgroup);
    rmSync(this.#folder, { recursive: true, force: true });
    if (!this.#hadSettings && existsSync(SETTINGS)) rmdirSync(SETTINGS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #answers(): Promise<void> {
    if (this.#child.exitCode !== null) throw new Error("it has ended");
    await this.docker(["version"]);
  }

  #log(): string {
    return readFileSync(path.join(this.#folder, "log"), "utf8").split("\n").slice(-10).join("\n");
  }

  /** Politely first: so it takes the cgroups of its containers away itself. */
  async #end(): Promise<void> {
    const child = this.#child;
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    if (child.pid === undefined || hasEnded()) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const daemon = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
    if (daemon > 0) process.kill(daemon, "SIGTERM");
    await eventually(
      () => {
        if (!hasEnded()) throw new Error("dockerd still runs");
      },
      { timeoutMs: STOP_LIMIT_MS, intervalMs: STOP_POLL_MS },
    ).catch(() => child.kill("SIGKILL"));
    await ended;
  }
}

/** Of one hierarchy (cgroup v2) or several (v1); children first. */
function removeCgroups(name: string): void {
  if (!existsSync(CGROUPS)) return;
  const hierarchies = readdirSync(CGROUPS).map((one) => path.join(CGROUPS, one, name));
  for (const folder of [path.join(CGROUPS, name), ...hierarchies]) if (existsSync(folder)) removeCgroup(folder);
}

function removeCgroup(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(path.join(folder, entry.name));
  }
  rmdirSync(folder);
}
