import type { ApiClient } from "../lib/client/api-client.ts";
import type { Clock } from "../lib/core/clock.ts";
import type { Log } from "../lib/core/log.ts";
import type { Random } from "../lib/core/random.ts";
import type { Startable } from "../lib/core/startable.ts";
import type { ContainerNode } from "../node-agent/container-node.ts";
import { NodeRole } from "../node-agent/node-role.ts";
import { nodeAddressOf, nodeFolder, nodeNamesOf, podCidrOf } from "./cluster-nodes.ts";
import type { ClusterPki } from "./cluster-pki.ts";
import type { ClusterRecord } from "./cluster-record.ts";
import type { RoleStatus } from "./status-server.ts";

export interface LocalNodesComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly pki: ClusterPki;
  readonly clientFor: (nodeName: string) => ApiClient;
  /** Of the one node whose pods are real; absent: nodes are simulated. */
  readonly containers?: ContainerNode;
}

export interface LocalNodesOptions {
  readonly dataDir: string;
  readonly record: ClusterRecord;
}

const KUBELET_PORT = 10_250;
const PARALLEL_STARTS = 32;

/** The nodes that live in this process: one with real containers, or any number of simulated ones. */
export class LocalNodes implements Startable {
  readonly #components: LocalNodesComponents;
  readonly #options: LocalNodesOptions;
  readonly #nodes = new Map<string, NodeRole>();

  constructor(components: LocalNodesComponents, options: LocalNodesOptions) {
    this.#components = components;
    this.#options = options;
  }

  async start(): Promise<void> {
    for (const [index, name] of nodeNamesOf(this.#options.record).entries()) {
      this.#nodes.set(name, await this.#node(name, index));
    }
    const nodes = [...this.#nodes.values()];
    for (let i = 0; i < nodes.length; i += PARALLEL_STARTS) {
      await Promise.all(nodes.slice(i, i + PARALLEL_STARTS).map((node) => node.start()));
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.stop()));
  }

  /** One line for a real node; simulated ones are told of together. */
  async describe(): Promise<RoleStatus[]> {
    return Promise.all(
      [...this.#nodes].slice(0, 1).map(async ([instance, node]): Promise<RoleStatus> => {
        const detail = await node.problem();
        const health = detail === "" ? "ok" : "failing";
        return { name: "node-agent", instance, pid: process.pid, health, leader: false, detail };
      }),
    );
  }

  async #node(nodeName: string, index: number): Promise<NodeRole> {
    const { pki, clientFor, containers, log, ...components } = this.#components;
    const { dataDir, record } = this.#options;
    const nodeIp = nodeAddressOf(record);
    // Simulated nodes share one address, so they can share one certificate.
    const identity = containers === undefined ? "simulated-nodes" : nodeName;
    const serving = await pki.certificate(`node-${identity}`, "server", [nodeIp]);
    return new NodeRole(
      {
        ...components,
        api: clientFor(nodeName),
        log: log.child({ node: nodeName }),
        ...(containers && { containers }),
      },
      {
        nodeName,
        nodeIp,
        runtime: containers === undefined ? "simulated" : "containerd",
        dataDir: nodeFolder(dataDir, nodeName),
        podCidr: podCidrOf(record, index),
        kubeletPort: containers === undefined ? 0 : KUBELET_PORT,
        serving: { ...serving, clientCaPem: await pki.authorityPem("client") },
      },
    );
  }
}
