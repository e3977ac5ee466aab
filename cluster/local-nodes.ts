import { readFileSync } from "node:fs";
import path from "node:path";
import type { ApiClient } from "../lib/client/api-client.ts";
import type { Clock } from "../lib/core/clock.ts";
import type { Log } from "../lib/core/log.ts";
import type { Random } from "../lib/core/random.ts";
import type { Startable } from "../lib/core/startable.ts";
import { NodeAgent } from "../node-agent/agent.ts";
import type { ContainerNode } from "../node-agent/container-node.ts";
import { readMachine, simulatedMachine } from "../node-agent/node/machine.ts";
import { CriRuntime } from "../node-agent/runtime/cri/cri-runtime.ts";
import type { Runtime } from "../node-agent/runtime/runtime.ts";
import { SimulatedRuntime } from "../node-agent/runtime/simulated/simulated-runtime.ts";
import { SimulatedState } from "../node-agent/runtime/simulated/simulated-state.ts";
import type { ClusterPki } from "./cluster-pki.ts";
import type { ClusterRecord } from "./cluster-record.ts";
import { addressAt } from "./network-plan.ts";
import type { RoleStatus } from "./status-server.ts";

export interface LocalNodesComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly pki: ClusterPki;
  readonly clientFor: (nodeName: string) => ApiClient;
}

export interface LocalNodesOptions {
  /** Where nodes keep what is theirs. */
  readonly folder: string;
  readonly record: ClusterRecord;
  /** Undefined: nodes are simulated. */
  readonly containers: ContainerNode | undefined;
}

const LOOPBACK = "127.0.0.1";
const KUBELET_PORT = 10_250;
const VERSION = "v1.36.0+keelson";
/** Simulated nodes take a /24 each from here. */
const SIMULATED_POD_CIDR = "10.0.0.0/8";
const ADDRESSES_PER_NODE = 256;
const PARALLEL_STARTS = 32;

interface LocalNode {
  readonly name: string;
  readonly runtime: Runtime;
  readonly agent: NodeAgent;
}

/** The nodes that live in this process: one with real containers, or any number of simulated ones. */
export class LocalNodes implements Startable {
  readonly #components: LocalNodesComponents;
  readonly #options: LocalNodesOptions;
  readonly #nodes: LocalNode[] = [];

  constructor(components: LocalNodesComponents, options: LocalNodesOptions) {
    this.#components = components;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { containers, record } = this.#options;
    const names = Array.from({ length: record.nodes }, (_, index) => `node-${index + 1}`);
    for (const [index, name] of names.entries()) {
      this.#nodes.push(
        containers === undefined ? await this.#simulatedNode(name, index) : await this.#containerNode(name, containers),
      );
    }
    for (let i = 0; i < this.#nodes.length; i += PARALLEL_STARTS) {
      await Promise.all(this.#nodes.slice(i, i + PARALLEL_STARTS).map((node) => node.agent.start()));
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.agent.stop()));
  }

  /** One line for a real node; simulated ones are told of together. */
  async describe(): Promise<RoleStatus[]> {
    const shown = this.#options.containers === undefined ? this.#nodes.slice(0, 1) : this.#nodes;
    return Promise.all(
      shown.map(async (node): Promise<RoleStatus> => {
        const health = await node.runtime
          .health()
          .catch((error: Error) => ({ runtimeReady: false, networkReady: false, message: error.message }));
        const ok = health.runtimeReady && health.networkReady;
        return {
          name: "node-agent",
          instance: node.name,
          pid: process.pid,
          health: ok ? "ok" : "failing",
          leader: false,
          detail: ok ? "" : health.message,
        };
      }),
    );
  }

  async #containerNode(name: string, containers: ContainerNode): Promise<LocalNode> {
    const { clock, log } = this.#components;
    const { network } = this.#options.record;
    if (network === undefined) throw new Error("a node with containers needs a network of its own");
    const rootDir = path.join(this.#options.folder, name);
    const parts = { clock, log: log.child({ node: name }), network: containers.podNetwork };
    const runtime = new CriRuntime(parts, { socketPath: containers.socketPath });
    const agent = await this.#agent(name, runtime, {
      machine: await readMachine(this.#options.folder),
      nodeIp: network.nodeAddress,
      podCidr: network.nodePodCidr,
      rootDir,
      kubeletPort: KUBELET_PORT,
      simulated: false,
      resolvConf: readFileSync("/etc/resolv.conf", "utf8"),
    });
    return { name, runtime, agent };
  }

  async #simulatedNode(name: string, index: number): Promise<LocalNode> {
    const podCidr = `${addressAt(SIMULATED_POD_CIDR, (index + 1) * ADDRESSES_PER_NODE)}/24`;
    const rootDir = path.join(this.#options.folder, name);
    const runtime = new SimulatedRuntime(this.#components, {
      podCidr,
      state: new SimulatedState(path.join(rootDir, "pods")),
    });
    const machine = simulatedMachine();
    const agent = await this.#agent(name, runtime, {
      machine,
      nodeIp: LOOPBACK,
      podCidr,
      rootDir,
      kubeletPort: 0,
      simulated: true,
    });
    return { name, runtime, agent };
  }

  async #agent(
    name: string,
    runtime: Runtime,
    own: Pick<
      ConstructorParameters<typeof NodeAgent>[1],
      "nodeIp" | "podCidr" | "rootDir" | "kubeletPort" | "simulated" | "resolvConf"
    > & {
      machine: ReturnType<typeof simulatedMachine>;
    },
  ): Promise<NodeAgent> {
    const { clock, random, log, pki, clientFor } = this.#components;
    const { machine, ...options } = own;
    // Simulated nodes share one address, so they can share one certificate.
    const identity = options.simulated ? "simulated-nodes" : name;
    const serving = await pki.certificate(`node-${identity}`, "server", [options.nodeIp]);
    const clientCaPem = await pki.authorityPem("client");
    return new NodeAgent(
      { api: clientFor(name), runtime, machine, clock, random, log: log.child({ node: name }) },
      {
        ...options,
        nodeName: name,
        podLogsDir: path.join(options.rootDir, "logs"),
        serving: { ...serving, clientCaPem },
        version: VERSION,
      },
    );
  }
}
