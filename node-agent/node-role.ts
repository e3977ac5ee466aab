import { readFileSync } from "node:fs";
import path from "node:path";
import type { ApiClient } from "../lib/client/api-client.ts";
import type { Changes } from "../lib/client/changes.ts";
import type { Clock } from "../lib/core/clock.ts";
import type { KeyPair } from "../lib/core/key-pair.ts";
import type { Log } from "../lib/core/log.ts";
import type { Random } from "../lib/core/random.ts";
import type { Startable } from "../lib/core/startable.ts";
import { runCommand } from "../lib/process/command.ts";
import { makeFolder } from "../lib/process/make-folder.ts";
import { NodeAgent } from "./agent.ts";
import { ContainerNode } from "./container-node.ts";
import { type Machine, readMachine, simulatedMachine } from "./node/machine.ts";
import { CriRuntime } from "./runtime/cri/cri-runtime.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { SimulatedRuntime } from "./runtime/simulated/simulated-runtime.ts";
import { SimulatedState } from "./runtime/simulated/simulated-state.ts";
import type { ServingIdentity } from "./server/kubelet-server.ts";

export interface NodeRoleComponents {
  readonly api: ApiClient;
  readonly changes?: Changes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Containers of this node that were started before; absent: it starts them itself, where pods are real. */
  readonly containers?: ContainerNode;
}

export interface NodeRoleOptions {
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly runtime: "containerd" | "simulated";
  readonly dataDir: string;
  readonly podCidr: string;
  /** 0: a free one. */
  readonly kubeletPort: number;
  readonly serving: ServingIdentity;
}

interface Runs {
  readonly runtime: Runtime;
  readonly machine: Machine;
}

const VERSION = "v1.36.0+keelson";

/** One node: its agent, its runtime, and containerd with its plugins where pods are real. */
export class NodeRole implements Startable {
  readonly #components: NodeRoleComponents;
  readonly #options: NodeRoleOptions;
  #runs: Runs | undefined;
  #agent: NodeAgent | undefined;
  #isStopping = false;

  constructor(components: NodeRoleComponents, options: NodeRoleOptions) {
    this.#components = components;
    this.#options = options;
  }

  /** Resolves when the node is registered. */
  async start(): Promise<void> {
    const { nodeName, nodeIp, podCidr, dataDir, kubeletPort, serving } = this.#options;
    makeFolder(dataDir, 0o700);
    const isSimulated = this.#options.runtime === "simulated";
    const runs = isSimulated ? this.#simulated() : await this.#containers();
    if (this.#isStopping) return;
    this.#runs = runs;
    this.#agent = new NodeAgent(
      { ...this.#components, ...runs },
      {
        nodeName,
        nodeIp,
        podCidr,
        kubeletPort,
        serving,
        simulated: isSimulated,
        rootDir: dataDir,
        podLogsDir: path.join(dataDir, "logs"),
        version: VERSION,
        ...(isSimulated ? {} : { resolvConf: readFileSync("/etc/resolv.conf", "utf8") }),
      },
    );
    await this.#agent.start();
  }

  /** The node API serves with this certificate from now on. */
  renewServing(pair: KeyPair): void {
    this.#agent?.renewServing(pair);
  }

  /** What runs goes on: containerd and the containers are no part of this process. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#agent?.stop();
  }

  /** Why no pod could run here; empty when one could. */
  async problem(): Promise<string> {
    if (this.#runs === undefined) return "the container runtime is being started";
    const health = await this.#runs.runtime
      .health()
      .catch((error: Error) => ({ runtimeReady: false, networkReady: false, message: error.message }));
    return health.runtimeReady && health.networkReady ? "" : health.message || "the container runtime is not ready";
  }

  #simulated(): Runs {
    const { dataDir, podCidr } = this.#options;
    const state = new SimulatedState(path.join(dataDir, "pods"), this.#components.log);
    return { runtime: new SimulatedRuntime(this.#components, { podCidr, state }), machine: simulatedMachine() };
  }

  async #containers(): Promise<Runs> {
    const { dataDir, podCidr } = this.#options;
    const node =
      this.#components.containers ?? new ContainerNode({ ...this.#components, run: runCommand }, { dataDir });
    if (this.#components.containers === undefined) await node.start(podCidr);
    const runtime = new CriRuntime({ ...this.#components, network: node.podNetwork }, { socketPath: node.socketPath });
    return { runtime, machine: await readMachine(dataDir) };
  }
}
