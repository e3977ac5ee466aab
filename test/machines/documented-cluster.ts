import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runCommand } from "../../lib/process/command.ts";
import { buildTestImage } from "../../node-agent/images/busybox-image.ts";
import { eventually } from "../kit/eventually.ts";
import { keelson } from "../kit/keelson.ts";
import { Kubectl } from "../kit/kubectl.ts";
import { documentedCommand, documentedFile } from "./documented.ts";
import type { Machine } from "./machine.ts";
import { MachineNetwork } from "./machine-network.ts";

/** Name in the tests, and address in the documentation. */
const ADDRESSES = {
  store: "10.0.0.5",
  first: "10.0.0.1",
  second: "10.0.0.2",
  people: "10.0.0.10",
  worker1: "10.0.0.11",
  worker2: "10.0.0.12",
} as const;

type MachineName = keyof typeof ADDRESSES;

/**
 * The cluster of docs/operations.md, "The split layout on machines of one's own", by the very commands that stand there. Each
 * machine has the identities that are copied to it and nothing else.
 */
export class DocumentedCluster implements AsyncDisposable {
  readonly network: MachineNetwork;
  readonly machines: Readonly<Record<MachineName, Machine>>;

  private constructor(network: MachineNetwork, machines: Readonly<Record<MachineName, Machine>>) {
    this.network = network;
    this.machines = machines;
  }

  /** Resolves when worker-1 is Ready; worker-2 has to join yet. */
  static async start(): Promise<DocumentedCluster> {
    const network = await MachineNetwork.make();
    const machines: Partial<Record<MachineName, Machine>> = {};
    for (const [name, address] of Object.entries(ADDRESSES))
      machines[name as MachineName] = await network.add(name, address);
    const cluster = new DocumentedCluster(network, machines as Record<MachineName, Machine>);
    try {
      await cluster.#copyIdentities();
      cluster.#startAll();
      await cluster.ready();
      await cluster.kubectl.ok(["wait", "--for=condition=Ready", "node/worker-1", "--timeout=5s"]);
      return cluster;
    } catch (error) {
      const logs = cluster.logs();
      await cluster[Symbol.asyncDispose]();
      throw new Error(`the cluster did not start: ${logs}`, { cause: error });
    }
  }

  /** On the machine of people, by the kubeconfig that `keelson pki` made: through the balancer. */
  get kubectl(): Kubectl {
    const { people } = this.machines;
    return new Kubectl(
      path.join(people.folder, "admin", "kubeconfig"),
      path.join(people.folder, "kubectl-cache"),
      people.enter,
    );
  }

  /** Until every role on the control plane's machines and every node agent says that it is ready. */
  async ready(timeoutMs = 90_000): Promise<void> {
    await eventually(
      async () => {
        for (const machine of Object.values(this.machines)) {
          for (const process of machine.processes.values()) {
            if (!process.hasRoleSocket) continue;
            const { ready, detail } = await process.describe();
            if (!ready) throw new Error(`${process.name} on ${machine.name} is not ready: ${detail}`);
          }
        }
        const [node] = JSON.parse(await this.kubectl.ok(["get", "nodes", "-o", "json"])).items;
        if (node === undefined) throw new Error("no node yet");
      },
      { timeoutMs },
    );
  }

  /** Joins worker-2 by a token, as the documentation says. */
  async join(): Promise<void> {
    const { people, worker2 } = this.machines;
    const made = await people.type(documentedCommand("keelson token create"));
    const [token = ""] = /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/.exec(made) ?? [];
    const [hash = ""] = /sha256:[0-9a-f]{64}/.exec(made) ?? [];
    writeFileSync(path.join(worker2.folder, "token-file"), token, { mode: 0o600 });
    await worker2.type(documentedCommand("keelson node join", [], { "sha256:…": hash }));
    this.#supervise(worker2, "node-agent", documentedCommand("keelson run node-agent", ["worker-2"]));
  }

  /** Brings the test image to a node by its archive; returns its name. */
  async loadImage(machine: Machine): Promise<string> {
    const { archive, name } = await buildTestImage(runCommand);
    writeFileSync(path.join(machine.folder, "image.tar"), archive);
    await machine.type(["keelson", "image", "load", "image.tar", "--data-dir=/var/lib/keelson/node"]);
    return name;
  }

  /** Forwarding, routes and masquerade between the nodes, as the documentation says for worker-1, "and the other way round". */
  async route(): Promise<void> {
    const { worker1, worker2 } = this.machines;
    const swapped = { "10.64.2.": "10.64.1.", "10.64.1.": "10.64.2.", "10.0.0.12": "10.0.0.11" };
    const commands = [["sysctl"], ["ip route add"], ["nft", "chain"], ["nft", "rule"]] as const;
    for (const [start, ...containing] of commands) {
      const command = documentedCommand(start, containing);
      await worker1.type(command);
      await worker2.type(
        command.map((word) =>
          word.replaceAll(/10\.64\.[12]\.|10\.0\.0\.12/g, (one) => swapped[one as keyof typeof swapped]),
        ),
      );
    }
  }

  /** The end of what every process printed. */
  logs(bytes = 1_500): string {
    return Object.values(this.machines)
      .flatMap((machine) =>
        [...machine.processes.values()].map((one) => `== ${machine.name} ${one.name}\n${one.log.slice(-bytes)}`),
      )
      .join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
  }

  async #copyIdentities(): Promise<void> {
    const [, ...words] = documentedCommand("keelson pki", ["--server="]);
    const pki = path.join(this.network.folder, "pki");
    const made = await keelson(words.map((word) => word.replace("--out-dir=pki", `--out-dir=${pki}`)));
    if (made.code !== 0) throw new Error(`keelson pki: ${made.stderr}`);
    const control = ["api-server", "scheduler", "controller-manager"];
    const copies: Partial<Record<MachineName, readonly string[]>> = {
      store: ["nats", "store"],
      first: control,
      second: control,
      people: ["admin"],
      worker1: ["node-worker-1"],
    };
    for (const [name, identities] of Object.entries(copies)) {
      const { folder } = this.machines[name as MachineName];
      for (const identity of identities)
        cpSync(path.join(pki, "identities", identity), path.join(folder, identity), { recursive: true });
    }
  }

  #startAll(): void {
    const { store, first, second, people, worker1 } = this.machines;
    store.supervise("nats-server", documentedCommand("nats-server -c nats/accounts.conf --addr 10.0.0.5"));
    this.#supervise(store, "store", documentedCommand("keelson run store"));
    const apiServer = documentedCommand("keelson run api-server", ["--listen"]);
    const listen = { "listen=10.0.0.1:": "listen=10.0.0.2:" };
    this.#supervise(first, "api-server", apiServer);
    this.#supervise(second, "api-server", documentedCommand("keelson run api-server", ["--listen"], listen));
    for (const machine of [first, second]) {
      for (const role of ["scheduler", "controller-manager"])
        this.#supervise(machine, role, documentedCommand(`keelson run ${role}`));
    }
    writeFileSync(path.join(people.folder, "haproxy.cfg"), documentedFile("haproxy.cfg", "haproxy"));
    people.supervise("haproxy", documentedCommand("haproxy"));
    this.#supervise(worker1, "node-agent", documentedCommand("keelson run node-agent", ["node-worker-1"]));
  }

  #supervise(machine: Machine, name: string, command: readonly string[]): void {
    machine.supervise(name, [...command, `--role-listen=unix:${path.join(machine.folder, `${name}.sock`)}`]);
  }
}

/** What of these machines the kernel and the disk still have. */
export async function leftovers(network: MachineNetwork): Promise<string[]> {
  const found: string[] = existsSync(network.folder) ? [network.folder] : [];
  for (const source of [
    ["ip", "netns"],
    ["ip", "-o", "link"],
    ["ps", "-eo", "args"],
  ]) {
    const lines = (await runCommand(source)).split("\n");
    found.push(...lines.filter((line) => line.includes(`m${network.tag}-`) || line.includes(network.folder)));
  }
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return [...found, ...mounts.filter((line) => line.includes(network.folder))];
}
