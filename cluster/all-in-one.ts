import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import type { Clock } from "../lib/core/clock.ts";
import type { Log } from "../lib/core/log.ts";
import type { Random } from "../lib/core/random.ts";
import type { Startable } from "../lib/core/startable.ts";
import { kindDescriptors } from "../lib/gen/k8s/descriptors.ts";
import * as resources from "../lib/gen/k8s/resources.ts";
import { runCommand } from "../lib/process/command.ts";
import { loadRegistry, type Registry } from "../lib/resource/registry.ts";
import { ContainerNode } from "../node-agent/container-node.ts";
import { ApiServer } from "../services/api-server/api-server.ts";
import { ControllerManager } from "../services/controller-manager/controller-manager.ts";
import { Scheduler } from "../services/scheduler/scheduler.ts";
import { openStore } from "../services/store/open-store.ts";
import type { SqliteStore } from "../services/store/sqlite-store.ts";
import { clusterAddresses } from "./cluster-addresses.ts";
import { nodeAddressOf } from "./cluster-nodes.ts";
import { ClusterPki } from "./cluster-pki.ts";
import type { ClusterRecord } from "./cluster-record.ts";
import { LocalNodes } from "./local-nodes.ts";
import { missingForPods } from "./missing-for-pods.ts";
import { addressAt } from "./network-plan.ts";
import { type ClusterStatus, type RoleStatus, StatusServer } from "./status-server.ts";

export interface AllInOneComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told what is done, step by step, and `ready` at last. */
  readonly progress: (step: string) => void;
  /** The store cannot go on: the process must end. */
  readonly onFatal: (reason: string) => void;
}

export interface AllInOneOptions {
  readonly dataDir: string;
  readonly record: ClusterRecord;
  readonly listenFd: number;
}

const COMPACTION_RETENTION_MS = 5 * 60_000;
const MASTERS = "system:masters";
const NODES = "system:nodes";
const READY_POLL_MS = 20;

/** Every role in one process; calls between them go through the same interfaces, in memory. */
export class AllInOne implements Startable {
  readonly #components: AllInOneComponents;
  readonly #options: AllInOneOptions;
  readonly #pki: ClusterPki;
  readonly #status: StatusServer;
  readonly #registry: Registry;
  #store: SqliteStore | undefined;
  #api: ApiServer | undefined;
  #scheduler: Scheduler | undefined;
  #controllers: ControllerManager | undefined;
  #nodes: LocalNodes | undefined;
  #ready = false;

  constructor(components: AllInOneComponents, options: AllInOneOptions) {
    this.#components = components;
    this.#options = options;
    this.#pki = new ClusterPki(components, path.join(options.dataDir, "pki"));
    this.#status = new StatusServer(() => this.#describe());
    this.#registry = loadRegistry(kindDescriptors);
  }

  /** Resolves when the cluster is Ready: the API answers, every node is Ready, a pod could be made. */
  async start(): Promise<void> {
    const { progress } = this.#components;
    await this.#status.start();
    // Containers take longest to come up and need nothing of the control plane.
    const containers = this.#startContainers();
    containers.catch(() => undefined);
    await this.#startControlPlane();
    const node = await containers;
    if (node !== undefined) progress("containerd");
    await this.#startNodes(node);
    await this.#untilReady();
    this.#ready = true;
    progress("ready");
  }

  /** Containers and containerd go on: `keelson down` ends them. */
  async stop(): Promise<void> {
    await this.#nodes?.stop();
    await this.#scheduler?.stop();
    await this.#controllers?.stop();
    await this.#api?.stop();
    await this.#store?.close();
    await this.#status.stop();
  }

  async #startContainers(): Promise<ContainerNode | undefined> {
    const { record, dataDir } = this.#options;
    if (record.runtime !== "containerd" || record.network === undefined) return undefined;
    const node = new ContainerNode({ ...this.#components, run: runCommand }, { dataDir, id: record.id });
    await node.start(record.network.nodePodCidr);
    return node;
  }

  async #startControlPlane(): Promise<void> {
    const { clock, random, log, progress, onFatal } = this.#components;
    const { dataDir, record, listenFd } = this.#options;
    this.#store = await openStore({
      dataDir: path.join(dataDir, "store"),
      clock,
      random,
      log: log.child({ role: "store" }),
      onFatal,
      autoCompaction: { mode: "periodic", retentionMs: COMPACTION_RETENTION_MS },
    });
    progress("store");
    const identities = await this.#identities();
    this.#api = new ApiServer(
      { store: this.#store, registry: this.#registry, clock, random, log: log.child({ role: "api-server" }) },
      {
        listen: { fd: listenFd },
        grpc: { host: nodeAddressOf(record), port: record.grpcPort },
        ...identities,
      },
    );
    await this.#api.start();
    progress("api-server");
    const identity = `${hostname()}_${random.uuid()}`;
    this.#controllers = new ControllerManager(
      {
        api: this.#clientFor("system:kube-controller-manager"),
        registry: this.#registry,
        clock,
        random,
        log: log.child({ role: "controller-manager" }),
      },
      { identity, leaderElect: false, rootCaPem: await this.#pki.authorityPem("server"), signing: this.#signing() },
    );
    this.#scheduler = new Scheduler(
      { api: this.#clientFor("system:kube-scheduler"), clock, random, log: log.child({ role: "scheduler" }) },
      { identity, leaderElect: false },
    );
    await Promise.all([this.#controllers.start(), this.#scheduler.start()]);
    progress("scheduler, controller-manager");
  }

  #signing() {
    return { client: () => this.#pki.authority("client"), kubelet: () => this.#pki.authority("kubelet") };
  }

  async #identities() {
    const { record, dataDir } = this.#options;
    const serviceAddress =
      record.network === undefined ? [] : [addressAt(record.network.serviceCidr, 1), record.network.nodeAddress];
    const tls = await this.#pki.certificate("api-server", "server", serviceAddress);
    const kubelet = await this.#pki.certificate("api-server", "kubelet-client");
    const kubeconfig = await this.#pki.kubeconfig(`keelson-${record.id}`, clusterAddresses(record).api);
    writeFileSync(path.join(dataDir, "kubeconfig"), kubeconfig, { mode: 0o600 });
    const keys = await this.#pki.serviceAccountKeys();
    return {
      tls,
      clientCaPem: await this.#pki.authorityPem("client"),
      serviceAccount: { ...keys, issuer: "https://kubernetes.default.svc.cluster.local" },
      kubelet: { ...kubelet, caPem: await this.#pki.authorityPem("kubelet") },
    };
  }

  async #startNodes(node: ContainerNode | undefined): Promise<void> {
    const { dataDir, record } = this.#options;
    const clientFor = (name: string) => this.#clientFor(`system:node:${name}`, NODES);
    this.#nodes = new LocalNodes(
      { ...this.#components, pki: this.#pki, clientFor, ...(node && { containers: node }) },
      { dataDir, record },
    );
    await this.#nodes.start();
    this.#components.progress(record.nodes === 1 ? "node agent" : `${record.nodes} node agents`);
  }

  /** The API as this user: every role has the rights of its own name, as it would in a process of its own. */
  #clientFor(user: string, ...groups: string[]) {
    const api = this.#api;
    if (api === undefined) throw new Error("the api-server has not been started");
    return api.clientFor({ user, groups });
  }

  async #untilReady(): Promise<void> {
    const api = this.#clientFor("system:keelson", MASTERS);
    const { clock } = this.#components;
    for (;;) {
      const [nodes, accounts] = await Promise.all([
        api.list(resources.nodes),
        api.list(resources.serviceAccounts, { namespace: "default" }),
      ]);
      const missing = missingForPods({ nodes: nodes.items, accounts: accounts.items }, this.#options.record.nodes);
      if (missing.length === 0) return;
      await clock.sleep(READY_POLL_MS);
    }
  }

  async #describe(): Promise<ClusterStatus> {
    const { record } = this.#options;
    const roles: RoleStatus[] = [
      await role("store", this.#store !== undefined, () => this.#store?.status()),
      await role("api-server", this.#api !== undefined, () =>
        this.#clientFor("system:keelson", MASTERS).list(resources.namespaces, { limit: 1 }),
      ),
      { ...(await role("scheduler", this.#scheduler !== undefined)), leader: this.#scheduler?.leading ?? false },
      {
        ...(await role("controller-manager", this.#controllers !== undefined)),
        leader: this.#controllers?.leading ?? false,
      },
      ...(this.#nodes === undefined ? [] : await this.#nodes.describe()),
    ];
    const addresses = clusterAddresses(record);
    const healthy = roles.every((one) => one.health === "ok");
    return {
      pid: process.pid,
      layout: "all-in-one",
      runtime: record.runtime,
      ready: this.#ready && healthy,
      roles,
      addresses,
    };
  }
}

/** A role that was started is well when what it is asked for comes. */
async function role(name: string, started: boolean, probe?: () => Promise<unknown> | undefined): Promise<RoleStatus> {
  const which = { name, instance: name, pid: process.pid };
  if (!started) return { ...which, health: "failing", leader: false, detail: "not started yet" };
  try {
    await probe?.();
    return { ...which, health: "ok", leader: false, detail: "" };
  } catch (error) {
    return { ...which, health: "failing", leader: false, detail: (error as Error).message };
  }
}
