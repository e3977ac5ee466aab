import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import { keelson } from "./keelson.ts";
import { Kubectl } from "./kubectl.ts";
import { NatsServer } from "./nats.ts";
import { RoleProcess } from "./role-process.ts";

export interface SplitClusterOptions {
  /** How many simulated nodes; default 2. */
  readonly nodes?: number;
  /** Whether there is a nats-server, by which changes are heard of; default no. */
  readonly bus?: boolean;
  /** More flags of a role: `{ "api-server": ["--nats=…"] }`. */
  readonly flags?: Readonly<Record<string, readonly string[]>>;
  /** Where one process finds an address that another listens on; a test puts a proxy between them. */
  readonly route?: (from: string, address: string) => Promise<string> | string;
}

const LOOPBACK = "127.0.0.1";
const COPIES = [1, 2] as const;

/**
 * Every role as a real process with an identity of its own, mutual TLS between all: a store, two api-servers, two
 * schedulers, two controller-managers and simulated nodes, named `store`, `api-server-1` … `node-agent-2`.
 */
export class SplitCluster {
  readonly folder = mkdtempSync(path.join(tmpdir(), "keelson-split-"));
  readonly processes = new Map<string, RoleProcess>();
  #nats: NatsServer | undefined;
  readonly #options: SplitClusterOptions;
  #restPorts: number[] = [];

  private constructor(options: SplitClusterOptions) {
    this.#options = options;
  }

  /** Resolves when every role is ready and every node too. */
  static async start(options: SplitClusterOptions = {}): Promise<SplitCluster> {
    const cluster = new SplitCluster(options);
    try {
      await cluster.#prepare();
      for (const process of cluster.processes.values()) process.start();
      await cluster.ready();
      return cluster;
    } catch (error) {
      const logs = [...cluster.processes.values()].map((one) => `== ${one.name}\n${one.log.slice(-2_000)}`);
      await cluster[Symbol.asyncDispose]();
      throw new Error(`the cluster did not start:\n${logs.join("\n")}`, { cause: error });
    }
  }

  process(name: string): RoleProcess {
    const found = this.processes.get(name);
    if (found === undefined) throw new Error(`no process ${name}: there are ${[...this.processes.keys()]}`);
    return found;
  }

  /** Only where `bus` was asked for. */
  get nats(): NatsServer {
    if (this.#nats === undefined) throw new Error("this cluster has no bus");
    return this.#nats;
  }

  /** kubectl as the administrator, at the first or second api-server. */
  kubectl(copy: 1 | 2 = 1): Kubectl {
    return new Kubectl(path.join(this.folder, `kubeconfig-${copy}`), path.join(this.folder, `cache-${copy}`));
  }

  /** Until every process says that it is ready. One that has ended by itself is started again, as a supervisor does. */
  async ready(): Promise<void> {
    await eventually(
      async () => {
        for (const process of this.processes.values()) {
          if (!process.running) process.start();
          const { ready, detail } = await process.describe();
          if (!ready) throw new Error(`${process.name} is not ready: ${detail}`);
        }
      },
      { timeoutMs: 60_000 },
    );
    await this.kubectl().ok(["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s"]);
  }

  /** Names of the processes of `role` that say that they lead. */
  async leaders(role: "scheduler" | "controller-manager" | "api-server"): Promise<string[]> {
    const copies = [...this.processes.values()].filter((one) => one.name.startsWith(`${role}-`) && one.running);
    const leading = await Promise.all(
      copies.map(async (one) => ((await one.describe().catch(() => undefined))?.leading ? [one.name] : [])),
    );
    return leading.flat();
  }

  /** Ends whatever still runs, also what is paused, and deletes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.processes.values()].map((one) => one.end("SIGKILL")));
    await this.#nats?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #prepare(): Promise<void> {
    const nodes = Array.from({ length: this.#options.nodes ?? 2 }, (_, index) => `node-${index + 1}`);
    const pki = path.join(this.folder, "pki");
    const made = await keelson(["pki", `--out-dir=${pki}`, ...nodes.map((node) => `--node=${node}`)]);
    if (made.code !== 0) throw new Error(`keelson pki: ${made.stderr}`);
    const [store, ...ports] = await freePorts(5);
    this.#restPorts = ports.slice(0, 2);
    const grpcPorts = ports.slice(2);
    const storeAddress = `${LOOPBACK}:${store}`;
    const apiServers = grpcPorts.map((port) => `${LOOPBACK}:${port}`);
    const identity = (name: string) => `--identity=${path.join(pki, "identities", name)}`;
    const data = (name: string) => `--data-dir=${path.join(this.folder, "data", name)}`;
    mkdirSync(path.join(this.folder, "data"));
    if (this.#options.bus) this.#nats = await NatsServer.start({ identity: path.join(pki, "identities", "nats") });
    await this.#add("store", "store", [identity("store"), data("store"), `--listen=${storeAddress}`]);
    for (const copy of COPIES) {
      await this.#add(`api-server-${copy}`, "api-server", [
        identity("api-server"),
        `--store=etcd://${await this.#route(`api-server-${copy}`, storeAddress)}`,
        `--listen=${LOOPBACK}:${this.#restPorts[copy - 1]}`,
        `--grpc-listen=${apiServers[copy - 1]}`,
      ]);
      this.#writeKubeconfig(copy, path.join(pki, "identities", "admin", "kubeconfig"));
    }
    const api = async (from: string) =>
      `--api-server=${await Promise.all(apiServers.map((address) => this.#route(from, address)))}`;
    for (const role of ["scheduler", "controller-manager"]) {
      for (const copy of COPIES) {
        const name = `${role}-${copy}`;
        await this.#add(name, role, [identity(role), await api(name)]);
      }
    }
    for (const [index, node] of nodes.entries()) {
      const name = `node-agent-${index + 1}`;
      const flags = [`--node-name=${node}`, "--runtime=simulated", data(node)];
      await this.#add(name, "node-agent", [identity(`node-${node}`), await api(name), ...flags]);
    }
  }

  async #add(name: string, role: string, flags: readonly string[]): Promise<void> {
    const address = this.#nats?.address;
    const bus = address === undefined || role === "store" ? [] : [`--nats=${await this.#route(name, address)}`];
    const args = [role, ...flags, ...bus, ...(this.#options.flags?.[role] ?? [])];
    this.processes.set(name, new RoleProcess(name, this.folder, args));
  }

  async #route(from: string, address: string): Promise<string> {
    return (await this.#options.route?.(from, address)) ?? address;
  }

  #writeKubeconfig(copy: number, from: string): void {
    const server = `https://${LOOPBACK}:${this.#restPorts[copy - 1]}`;
    const text = readFileSync(from, "utf8").replace(/https:\/\/[^\s"]+/, server);
    writeFileSync(path.join(this.folder, `kubeconfig-${copy}`), text, { mode: 0o600 });
  }
}
