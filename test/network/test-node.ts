import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { ClusterRecord } from "../../cluster/cluster-record.ts";
import type { NetworkPlan } from "../../cluster/network-plan.ts";
import { silentLog } from "../../lib/core/log.ts";
import {
  CreateContainerRequest,
  ImageServiceDefinition,
  PodSandboxConfig,
  RuntimeServiceDefinition,
} from "../../lib/gen/runtime/v1/api.ts";
import { runCommand } from "../../lib/process/command.ts";
import { findProcesses } from "../../lib/process/process-identity.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { ContainerNode } from "../../node-agent/container-node.ts";
import { PodNetwork } from "../../node-agent/network/pod-network.ts";
import { TestMachine } from "./machine.ts";

const STARTER = fileURLToPath(new URL("./start-node.ts", import.meta.url));

/** A node with a containerd of its own on a machine of its own, without a control plane. */
export class TestNode {
  readonly machine: TestMachine;
  readonly plan: NetworkPlan;
  readonly dataDir = mkdtempSync(path.join(tmpdir(), "keelson-node-"));
  readonly containers: ContainerNode;
  readonly #record: ClusterRecord;
  #channel: GrpcChannel | undefined;

  private constructor(machine: TestMachine, plan: NetworkPlan) {
    this.machine = machine;
    this.plan = plan;
    this.#record = { id: plan.id, runtime: "containerd", nodes: 1, apiPort: 0, grpcPort: 0, network: plan };
    const parts = { clock: realClock, random: realRandom, log: silentLog, run: runCommand };
    this.containers = new ContainerNode(parts, { dataDir: this.dataDir, id: plan.id });
  }

  static async start(snapshotter?: "native"): Promise<TestNode> {
    const machine = await TestMachine.make();
    const plan = await machine.plan("n");
    await machine.network.create(plan);
    const node = new TestNode(machine, plan);
    if (snapshotter !== undefined) {
      mkdirSync(path.join(node.dataDir, "containerd", "root"), { recursive: true });
      writeFileSync(path.join(node.dataDir, "containerd", "root", "snapshotter"), snapshotter);
    }
    await node.start();
    return node;
  }

  /** As Keelson's process does when it starts, and again when it comes back. */
  async start(): Promise<void> {
    await this.machine.node(this.plan)([process.execPath, STARTER, this.dataDir, JSON.stringify(this.#record)]);
  }

  get cniDir(): string {
    return path.join(this.dataDir, "containerd", "cni");
  }

  get stateDir(): string {
    return path.join("/run/keelson", this.plan.id, "containerd");
  }

  get containerdPid(): number {
    const config = path.join(this.stateDir, "config.toml");
    return findProcesses((argv) => argv[2] === config)[0]!.pid;
  }

  get runtime() {
    return this.#connected().client(RuntimeServiceDefinition);
  }

  get images() {
    return this.#connected().client(ImageServiceDefinition);
  }

  podNetwork(): PodNetwork {
    return new PodNetwork(
      { run: this.machine.node(this.plan), clock: realClock, log: silentLog },
      {
        installation: { binDir: path.join(this.cniDir, "bin"), reservationsDir: path.join(this.cniDir, "addresses") },
        network: { podCidr: this.plan.nodePodCidr, mtu: 1400 },
      },
    );
  }

  reservedAddresses(): string[] {
    const dir = path.join(this.cniDir, "addresses", "pods");
    return existsSync(dir) ? readdirSync(dir).filter((name) => /^\d/.test(name)) : [];
  }

  async sandboxIds(): Promise<string[]> {
    const { items } = await this.runtime.listPodSandbox({ filter: undefined });
    return items.map((sandbox) => sandbox.id);
  }

  /** A sandbox with the pod's name for host name. */
  async sandbox(
    name: string,
    { timeoutMs = 20_000, hostPort = 0 } = {},
  ): Promise<{ id: string; address: string; config: PodSandboxConfig }> {
    const config = PodSandboxConfig.fromPartial({
      metadata: { name, uid: `uid-${name}`, namespace: "default", attempt: 0 },
      hostname: name,
      portMappings: hostPort === 0 ? [] : [{ hostPort, containerPort: 8080 }],
      logDirectory: path.join(this.dataDir, "logs", name),
      linux: {
        cgroupParent: `/keelson-test-${this.plan.id}/${name}`,
        securityContext: { namespaceOptions: { pid: 1 } },
      },
    });
    const { podSandboxId } = await this.runtime.runPodSandbox({ config, runtimeHandler: "" }, { timeoutMs });
    const { status } = await this.runtime.podSandboxStatus({ podSandboxId, verbose: false });
    return { id: podSandboxId, address: status?.network?.ip ?? "", config };
  }

  async container(sandbox: { id: string; config: PodSandboxConfig }, image: string): Promise<string> {
    const { containerId } = await this.runtime.createContainer(
      CreateContainerRequest.fromPartial({
        podSandboxId: sandbox.id,
        sandboxConfig: sandbox.config,
        config: { metadata: { name: "main", attempt: 0 }, image: { image }, logPath: "main.log" },
      }),
    );
    await this.runtime.startContainer({ containerId });
    return containerId;
  }

  /** What of this node can be found in the kernel and outside its data folder. */
  async leftovers(): Promise<string[]> {
    const processes = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          const text = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
          return text.includes(this.plan.id) && text.includes("containerd") ? [text] : [];
        } catch {
          return [];
        }
      });
    const mounts = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(this.stateDir) || line.includes(this.dataDir));
    const cgroups = (await runCommand(["find", "/sys/fs/cgroup", "-name", `keelson-test-${this.plan.id}`]))
      .split("\n")
      .filter((line) => line !== "");
    return [...processes, ...mounts, ...cgroups, ...(existsSync(this.stateDir) ? [this.stateDir] : [])];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel?.close();
    await this.containers.stop();
    // A pod's cgroup is its maker's to remove: here the test's.
    await runCommand([
      "find",
      "/sys/fs/cgroup",
      "-depth",
      "-type",
      "d",
      "-path",
      `*/keelson-test-${this.plan.id}*`,
      "-delete",
    ]);
    await this.machine[Symbol.asyncDispose]();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  #connected(): GrpcChannel {
    this.#channel ??= new GrpcChannel({ target: `unix://${this.containers.socketPath}` });
    return this.#channel;
  }
}
