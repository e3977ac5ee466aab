import type { ApiClient } from "../lib/client/api-client.ts";
import { EventRecorder } from "../lib/controller/event-recorder.ts";
import type { Clock, Timer } from "../lib/core/clock.ts";
import type { Log } from "../lib/core/log.ts";
import type { Random } from "../lib/core/random.ts";
import type { Startable } from "../lib/core/startable.ts";
import type { Pod } from "../lib/gen/k8s/core/v1.ts";
import { PodEvents } from "./events/pod-events.ts";
import type { Machine } from "./node/machine.ts";
import { NodeLease } from "./node/node-lease.ts";
import { NodeReporter } from "./node/node-reporter.ts";
import { ApiConfigSource } from "./pods/config-source.ts";
import { ContainerStarter } from "./pods/container-starter.ts";
import { ContainerStopper } from "./pods/container-stopper.ts";
import { ImagePuller } from "./pods/image-puller.ts";
import { PodEnder } from "./pods/pod-ender.ts";
import { isBeingDeleted } from "./pods/pod-facts.ts";
import { HostPodFiles, noPodFiles, type PodFiles } from "./pods/pod-files.ts";
import { PodMemory } from "./pods/pod-memory.ts";
import { PodObserver } from "./pods/pod-observer.ts";
import { ApiPodSource } from "./pods/pod-source.ts";
import { PodSyncer } from "./pods/pod-syncer.ts";
import { PodWorkers } from "./pods/pod-workers.ts";
import { ServiceEnvironment } from "./pods/service-environment.ts";
import { StatusWriter } from "./pods/status-writer.ts";
import { HostProbeRunner, SimulatedProbeRunner } from "./probes/probe-runner.ts";
import { Prober } from "./probes/prober.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { KubeletServer, type ServingIdentity } from "./server/kubelet-server.ts";
import { HostVolumes } from "./volumes/host-volumes.ts";
import { linuxMounter } from "./volumes/mounter.ts";
import { TokenCache } from "./volumes/token-cache.ts";
import { noVolumes, type Volumes } from "./volumes/volumes.ts";

export interface NodeAgentComponents {
  readonly api: ApiClient;
  readonly runtime: Runtime;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
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

const LOG_ROTATE_BYTES = 10 * 1024 * 1024;
const LOG_FILES = 5;
const HOUSEKEEPING_MS = 30_000;

/** The kubelet of one node. */
export class NodeAgent implements Startable {
  readonly #components: NodeAgentComponents;
  readonly #options: NodeAgentOptions;
  readonly #recorder: EventRecorder;
  readonly #source: ApiPodSource;
  readonly #statuses: StatusWriter;
  readonly #volumes: Volumes;
  readonly #prober: Prober;
  readonly #workers: PodWorkers;
  readonly #server: KubeletServer | undefined;
  #reporter: NodeReporter | undefined;
  #lease: NodeLease | undefined;
  #unwatch: (() => void) | undefined;
  #housekeeping: Timer | undefined;
  #stopped = false;

  constructor(components: NodeAgentComponents, options: NodeAgentOptions) {
    const { api, runtime, clock, random, log } = components;
    this.#components = components;
    this.#options = options;
    this.#recorder = new EventRecorder({ api, clock, log }, { component: "kubelet", host: options.nodeName });
    this.#source = new ApiPodSource({ api, clock, random, log }, { nodeName: options.nodeName });
    this.#statuses = new StatusWriter({ api, clock, log });
    const events = new PodEvents(this.#recorder);
    const runner = options.simulated ? new SimulatedProbeRunner(runtime) : new HostProbeRunner(runtime);
    this.#prober = new Prober({ clock, runner, events }, (uid) => this.#workers.wake(uid));
    const { volumes, files } = this.#storage();
    this.#volumes = volumes;
    const syncer = this.#syncer(events, files);
    this.#workers = new PodWorkers({ clock, log }, (uid, signal) => syncer.step(uid, signal));
    this.#source.onChange((uid, last) => {
      const gone = this.#source.get(uid) === undefined;
      if (gone) syncer.lost(uid, last);
      if (gone || isBeingDeleted(last)) this.#interruptOnce(uid, gone, last);
      this.#workers.wake(uid);
    });
    this.#source.onSynced(() => void this.#adopt());
    if (options.serving !== undefined) {
      const parts = { runtime, clock, log, source: this.#source };
      this.#server = new KubeletServer(parts, {
        ...options.serving,
        host: options.nodeIp,
        port: options.kubeletPort ?? 0,
      });
    }
  }

  /** Port of the node API; 0 when it serves none. */
  get kubeletPort(): number {
    return this.#server?.port ?? 0;
  }

  async start(): Promise<void> {
    const { runtime } = this.#components;
    await runtime.start();
    await this.#recorder.start();
    await this.#server?.start();
    this.#unwatch = runtime.watch((uid) => this.#workers.wake(uid));
    // Pods first: what runs must be looked after also where the Node object cannot be written.
    await this.#source.start();
    await this.#startReporting();
    if (this.#stopped) return;
    this.#housekeeping = this.#components.clock.after(HOUSEKEEPING_MS, () => void this.#houseKeep());
  }

  /** Leaves everything that runs running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#housekeeping?.cancel();
    this.#unwatch?.();
    await this.#lease?.stop();
    await this.#reporter?.stop();
    await this.#source.stop();
    await this.#workers.stop();
    this.#prober.stop();
    await this.#statuses.stop();
    await this.#recorder.stop();
    await this.#server?.stop();
    await this.#components.runtime.stop();
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

  #storage(): { volumes: Volumes; files: PodFiles } {
    const { api, clock, random, machine } = this.#components;
    const { simulated, rootDir, nodeIp, clusterDomain = "cluster.local" } = this.#options;
    if (simulated) return { volumes: noVolumes, files: noPodFiles };
    const tokens = new TokenCache({ api, clock });
    const config = new ApiConfigSource(api);
    const allocatable = machine.capacity;
    const sources = (pod: Pod) => {
      const ips = (pod.status?.podIPs ?? []).map((each) => each.ip ?? "");
      return { config, tokens, allocatable, hostIp: nodeIp, podIps: ips };
    };
    const volumes = new HostVolumes({ mounter: linuxMounter, random, tokens, sources }, { rootDir });
    return { volumes, files: new HostPodFiles({ random }, { rootDir, clusterDomain }) };
  }

  #syncer(events: PodEvents, files: PodFiles): PodSyncer {
    const { api, runtime, clock, log, machine } = this.#components;
    const options = this.#options;
    const settings = {
      podLogsDir: options.podLogsDir,
      nodeName: options.nodeName,
      cgroupParent: options.cgroupParent ?? "",
      dns: {
        clusterServers: options.clusterDns ?? [],
        clusterDomain: options.clusterDomain ?? "cluster.local",
        resolvConf: options.resolvConf ?? "",
      },
    };
    const memory = new PodMemory();
    const config = new ApiConfigSource(api);
    const images = new ImagePuller({ runtime, clock, events, config });
    const stopper = new ContainerStopper({ runtime, clock, events, log });
    const source = this.#source;
    const statuses = this.#statuses;
    const volumes = this.#volumes;
    const prober = this.#prober;
    const observer = new PodObserver(
      { runtime, clock, files, memory, statuses, probes: prober },
      { hostIp: options.nodeIp },
    );
    const ender = new PodEnder(
      { api, runtime, volumes, observer, stopper, statuses, prober },
      { podLogsDir: options.podLogsDir },
    );
    const services = new ServiceEnvironment(api);
    const starter = new ContainerStarter(
      { runtime, clock, events, images, files, memory, volumes, config, services },
      { ...settings, hostIp: options.nodeIp, memoryCapacityBytes: machine.memoryBytes, allocatable: machine.capacity },
    );
    const parts = {
      source,
      runtime,
      clock,
      volumes,
      observer,
      statuses,
      starter,
      stopper,
      ender,
      images,
      prober,
      memory,
    };
    return new PodSyncer({ ...parts, events }, settings);
  }

  readonly #interrupted = new Map<string, string>();

  /** A pull or a long grace must not hold up a deletion, nor a shorter grace; the same wish interrupts once. */
  #interruptOnce(uid: string, gone: boolean, last: Pod): void {
    const wish = gone ? "gone" : `${last.metadata?.deletionTimestamp} ${last.metadata?.deletionGracePeriodSeconds}`;
    if (this.#interrupted.get(uid) === wish) return;
    this.#interrupted.set(uid, wish);
    this.#workers.interrupt(uid);
  }

  /** Looks at everything that is on the node, known to the API or not. */
  async #adopt(): Promise<void> {
    try {
      for (const { uid } of await this.#components.runtime.listPods()) this.#workers.wake(uid);
      for (const uid of await this.#volumes.list()) this.#workers.wake(uid);
    } catch (error) {
      this.#components.log.warn("what runs on the node cannot be listed", { error });
    }
  }

  async #houseKeep(): Promise<void> {
    if (this.#source.synced) await this.#adopt();
    await this.#rotateLogs();
    const known = new Set(this.#workers.uids());
    for (const uid of this.#interrupted.keys()) if (!known.has(uid)) this.#interrupted.delete(uid);
    if (!this.#stopped)
      this.#housekeeping = this.#components.clock.after(HOUSEKEEPING_MS, () => void this.#houseKeep());
  }

  async #rotateLogs(): Promise<void> {
    const { runtime, log } = this.#components;
    if (this.#options.simulated) return;
    for (const pod of this.#source.list()) {
      try {
        const { containers } = await runtime.readPod(pod.metadata?.uid ?? "");
        for (const container of containers)
          if (container.state === "running") await runtime.rotateLog(container, LOG_ROTATE_BYTES, LOG_FILES);
      } catch (error) {
        log.warn("logs cannot be rotated", { pod: pod.metadata?.name, error });
      }
    }
  }
}
