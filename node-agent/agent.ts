import type { ApiClient } from "../lib/client/api-client.ts";
import type { Changes } from "../lib/client/changes.ts";
import { EventRecorder } from "../lib/controller/event-recorder.ts";
import type { Clock } from "../lib/core/clock.ts";
import type { KeyPair } from "../lib/core/key-pair.ts";
import type { Log } from "../lib/core/log.ts";
import type { Random } from "../lib/core/random.ts";
import type { Startable } from "../lib/core/startable.ts";
import type { Pod } from "../lib/gen/k8s/core/v1.ts";
import type { Machine } from "./node/machine.ts";
import { NodeLease } from "./node/node-lease.ts";
import { NodeReporter } from "./node/node-reporter.ts";
import { ApiConfigSource } from "./pods/config-source.ts";
import { HostPodFiles, noPodFiles } from "./pods/pod-files.ts";
import { PodManager, type PodManagerComponents } from "./pods/pod-manager.ts";
import { HostProbeRunner, SimulatedProbeRunner } from "./probes/probe-runner.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { KubeletServer, type ServingIdentity } from "./server/kubelet-server.ts";
import { HostVolumes } from "./volumes/host-volumes.ts";
import { linuxMounter } from "./volumes/mounter.ts";
import { TokenCache } from "./volumes/token-cache.ts";
import { noVolumes, type Volumes } from "./volumes/volumes.ts";

export interface NodeAgentComponents {
  readonly api: ApiClient;
  /** How informers hear of changes; default: by watch. */
  readonly changes?: Changes;
  readonly runtime: Runtime;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where pods' volumes are, if not on this machine (or nowhere, with `simulated`). */
  readonly volumes?: Volumes;
}

export interface NodeAgentOptions {
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly podCidr: string;
  /** Pod volumes and the agent's own files; unused with `simulated`. */
  readonly rootDir: string;
  /** Container logs, `/var/log/pods` elsewhere. */
  readonly podLogsDir: string;
  /** Of the node API; 0 takes a free one, undefined serves none. */
  readonly kubeletPort?: number;
  readonly serving?: ServingIdentity;
  /** Nothing of a pod touches this machine: no volumes, no files, probes answered by the runtime. */
  readonly simulated: boolean;
  /** Reported as kubeletVersion. */
  readonly version: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly clusterDns?: readonly string[];
  readonly clusterDomain?: string;
  /** Text of the resolv.conf that pods inherit. */
  readonly resolvConf?: string;
  readonly cgroupParent?: string;
}

const CLUSTER_DOMAIN = "cluster.local";

/** The kubelet of one node: its Node and Lease, its pods, its own API. */
export class NodeAgent implements Startable {
  readonly #components: NodeAgentComponents;
  readonly #options: NodeAgentOptions;
  readonly #recorder: EventRecorder;
  readonly #pods: PodManager;
  readonly #server: KubeletServer | undefined;
  #reporter: NodeReporter | undefined;
  #lease: NodeLease | undefined;
  #starting: Promise<void> | undefined;
  #stopped = false;

  constructor(components: NodeAgentComponents, options: NodeAgentOptions) {
    const { api, runtime, clock, log } = components;
    this.#components = components;
    this.#options = options;
    this.#recorder = new EventRecorder({ api, clock, log }, { component: "kubelet", host: options.nodeName });
    this.#pods = this.#makePods();
    if (options.serving !== undefined) {
      const address = { host: options.nodeIp, port: options.kubeletPort ?? 0 };
      const { source } = this.#pods;
      this.#server = new KubeletServer({ runtime, clock, log, source }, { ...options.serving, ...address });
    }
  }

  /** Port of the node API; 0 when it serves none. */
  get kubeletPort(): number {
    return this.#server?.port ?? 0;
  }

  /** The node API serves with this certificate from now on. */
  renewServing(pair: KeyPair): void {
    this.#server?.renewCertificate(pair);
  }

  /** Resolves when the node is registered, or when it was stopped before that. */
  async start(): Promise<void> {
    this.#starting ??= this.#start();
    await this.#starting;
  }

  /** Also while it starts. Leaves everything that runs running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // Only this step can take long, for want of an API; the others end, and no more are taken.
    await this.#reporter?.stop();
    await this.#starting?.catch(() => {});
    await this.#lease?.stop();
    await this.#pods.stop();
    await this.#recorder.stop();
    await this.#server?.stop();
    await this.#components.runtime.stop();
  }

  async #start(): Promise<void> {
    const { runtime } = this.#components;
    // Pods before the Node: what runs must be looked after also where the Node object cannot be written.
    for (const part of [runtime, this.#recorder, this.#server, this.#pods]) {
      if (this.#stopped) return;
      await part?.start();
    }
    if (!this.#stopped) await this.#startReporting();
  }

  async #startReporting(): Promise<void> {
    const { api, clock, log, runtime, machine } = this.#components;
    const { nodeName, nodeIp, podCidr, version, labels = {} } = this.#options;
    const identity = { nodeName, nodeIp, podCidr, kubeletPort: this.kubeletPort, version, labels };
    this.#reporter = new NodeReporter({ api, clock, log, runtime, events: this.#recorder, machine }, identity);
    await this.#reporter.start();
    if (this.#reporter.node === undefined || this.#stopped) return;
    this.#lease = new NodeLease({ api, clock, log }, this.#reporter.node);
    await this.#lease.start();
  }

  #makePods(): PodManager {
    const { machine } = this.#components;
    const options = this.#options;
    const clusterDomain = options.clusterDomain ?? CLUSTER_DOMAIN;
    const resolvConf = options.resolvConf ?? "";
    return new PodManager(
      { ...this.#components, recorder: this.#recorder, ...(options.simulated ? this.#simulated() : this.#real()) },
      {
        nodeName: options.nodeName,
        hostIp: options.nodeIp,
        podLogsDir: options.podLogsDir,
        hasLogFiles: !options.simulated,
        cgroupParent: options.cgroupParent ?? "",
        dns: { clusterServers: options.clusterDns ?? [], clusterDomain, resolvConf },
        memoryCapacityBytes: machine.memoryBytes,
        allocatable: machine.capacity,
      },
    );
  }

  #simulated(): Pick<PodManagerComponents, "volumes" | "files" | "probeRunner"> {
    const probeRunner = new SimulatedProbeRunner(this.#components.runtime);
    return { volumes: this.#components.volumes ?? noVolumes, files: noPodFiles, probeRunner };
  }

  /** What touches this machine on behalf of pods. */
  #real(): Pick<PodManagerComponents, "volumes" | "files" | "probeRunner"> {
    const { api, clock, random, machine, runtime } = this.#components;
    const { rootDir, nodeIp, clusterDomain = CLUSTER_DOMAIN } = this.#options;
    const tokens = new TokenCache({ api, clock });
    const config = new ApiConfigSource(api);
    const allocatable = machine.capacity;
    const sources = (pod: Pod) => {
      const podIps = (pod.status?.podIPs ?? []).map((each) => each.ip ?? "");
      return { config, tokens, allocatable, hostIp: nodeIp, podIps };
    };
    const host = new HostVolumes({ mounter: linuxMounter, random, tokens, sources }, { rootDir });
    return {
      volumes: this.#components.volumes ?? host,
      files: new HostPodFiles({ random }, { rootDir, clusterDomain }),
      probeRunner: new HostProbeRunner(runtime),
    };
  }
}
