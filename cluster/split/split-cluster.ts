import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { clusterAddresses } from "../cluster-addresses.ts";
import { nodeAddressOf } from "../cluster-nodes.ts";
import { ClusterPki } from "../cluster-pki.ts";
import type { ClusterRecord } from "../cluster-record.ts";
import { type ClusterStatus, type RoleStatus, StatusServer } from "../status-server.ts";
import { balancerConfig } from "./balancer-config.ts";
import { PortBook } from "./port-book.ts";
import { ReadinessCheck } from "./readiness-check.ts";
import { splitIdentities } from "./split-identities.ts";
import {
  BALANCER_CONFIG,
  balancerOptions,
  PORT_NAMES,
  processSpecs,
  type SplitRole,
  type SplitStage,
  splitStages,
} from "./split-plan.ts";
import { processStarter } from "./start-process.ts";
import { Supervisor } from "./supervisor.ts";

export interface SplitClusterComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told what is done, step by step, and `ready` at last. */
  readonly progress: (step: string) => void;
}

export interface SplitClusterOptions {
  readonly dataDir: string;
  readonly record: ClusterRecord;
  readonly listenFd: number;
}

const POLL_MS = 100;
/** A cluster that is not ready by then never will be without help. */
const READY_LIMIT_MS = 180_000;
/** A process that ends so often in a row before the cluster was ready will go on doing so. */
const FAILURES_MAX = 6;

/** Every role as processes of their own on this machine, supervised. */
export class SplitCluster implements Startable {
  readonly #components: SplitClusterComponents;
  readonly #options: SplitClusterOptions;
  readonly #status: StatusServer;
  readonly #stopping = new AbortController();
  #stages: readonly SplitStage[] = [];
  #supervisor: Supervisor | undefined;
  #ready = false;

  constructor(components: SplitClusterComponents, options: SplitClusterOptions) {
    this.#components = components;
    this.#options = options;
    this.#status = new StatusServer(() => this.#describe());
  }

  /** Resolves when the cluster is Ready. Rejects, with nothing left running, when it cannot become so by itself. */
  async start(): Promise<void> {
    const { progress } = this.#components;
    const { signal } = this.#stopping;
    try {
      await this.#status.start();
      const api = await this.#prepare();
      progress("identities");
      signal.throwIfAborted();
      await this.#supervisor?.start();
      const endMs = this.#components.clock.monotonicMs() + READY_LIMIT_MS;
      for (const stage of this.#stages) {
        await this.#until(endMs, this.#unhealthyOf(stage));
        progress(stage.label);
      }
      await this.#until(endMs, () => api.missing());
      this.#ready = true;
      progress("ready");
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Ends every process but containerd and the containers. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the cluster was stopped"));
    await this.#supervisor?.stop();
    await this.#status.stop();
  }

  /** Everything that is written down before processes start. */
  async #prepare(): Promise<ReadinessCheck> {
    const { dataDir, record, listenFd } = this.#options;
    const runFolder = path.join(dataDir, "run");
    const pki = new ClusterPki(this.#components, path.join(dataDir, "pki"));
    const kubeconfig = await pki.kubeconfig(`keelson-${record.id}`, clusterAddresses(record).api);
    writeFileSync(path.join(dataDir, "kubeconfig"), kubeconfig, { mode: 0o600 });
    const identity = await splitIdentities(pki, record, runFolder);
    const ports = await new PortBook(this.#components, path.join(runFolder, "ports.json")).settle(PORT_NAMES);
    const world = { dataDir, record, listenFd, ports, identity };
    writeFileSync(path.join(runFolder, BALANCER_CONFIG), balancerConfig(balancerOptions(world)), { mode: 0o600 });
    this.#stages = splitStages(world);
    const start = processStarter({ cwd: runFolder, logs: path.join(dataDir, "logs") });
    this.#supervisor = new Supervisor({ ...this.#components, start }, this.#stages.map(processSpecs));
    const address = `${nodeAddressOf(record)}:${record.grpcPort}`;
    return new ReadinessCheck(new IdentityFolder(identity("admin")), { address, nodes: record.nodes });
  }

  /** What is not healthy yet of a stage; what was healthy once is not asked again, since starting takes all of the machine. */
  #unhealthyOf(stage: SplitStage): () => Promise<readonly string[]> {
    let waitedFor = stage.roles;
    return async () => {
      const answers = await Promise.all(waitedFor.map((role) => this.#describeRole(role)));
      waitedFor = waitedFor.filter((_, index) => answers[index]?.health !== "ok");
      return answers.filter(({ health }) => health !== "ok").map(({ instance, detail }) => `${instance}: ${detail}`);
    };
  }

  /** Asks until nothing is missing any more. */
  async #until(endMs: number, missing: () => Promise<readonly string[]>): Promise<void> {
    const { clock } = this.#components;
    for (;;) {
      const left = await missing();
      if (left.length === 0) return;
      const hopeless = this.#stages.flatMap(processSpecs).find(({ name }) => this.#failuresOf(name) >= FAILURES_MAX);
      if (hopeless !== undefined) {
        const log = path.join(this.#options.dataDir, "logs", `${hopeless.name}.log`);
        throw new Error(`${hopeless.name} ended ${FAILURES_MAX} times in a row; why is in ${log}`);
      }
      if (clock.monotonicMs() > endMs)
        throw new Error(`not ready after ${READY_LIMIT_MS / 1_000} s: ${left.join("; ")}`);
      await clock.sleep(POLL_MS, this.#stopping.signal);
    }
  }

  #failuresOf(name: string): number {
    return this.#supervisor?.process(name).failures ?? 0;
  }

  async #describe(): Promise<ClusterStatus> {
    const { record } = this.#options;
    const roles = await Promise.all(
      this.#stages.flatMap((stage) => stage.roles).map((role) => this.#describeRole(role)),
    );
    const isHealthy = roles.every(({ health }) => health === "ok");
    const { runtime } = record;
    const addresses = clusterAddresses(record);
    return { pid: process.pid, layout: "split", runtime, ready: this.#ready && isHealthy, roles, addresses };
  }

  async #describeRole({ role, instance, argv, probe }: SplitRole): Promise<RoleStatus> {
    const pid = argv === undefined ? null : (this.#supervisor?.process(instance).pid ?? null);
    const which = { name: role, instance, pid };
    if (argv !== undefined && pid === null) {
      return { ...which, health: "failing", leader: false, detail: "has ended and is started again" };
    }
    return { ...which, ...(await probe()) };
  }
}
