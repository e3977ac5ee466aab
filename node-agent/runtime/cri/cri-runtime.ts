import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, formatTime } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import {
  type Container,
  ImageServiceDefinition,
  ImageSpec,
  ListContainersRequest,
  ListPodSandboxRequest,
  PullImageRequest,
  RuntimeServiceDefinition,
} from "../../../lib/gen/runtime/v1/api.ts";
import { GrpcChannel, type ServiceClient } from "../../../lib/transport/grpc-client.ts";
import type { PodNetwork } from "../../network/pod-network.ts";
import {
  type ContainerSpec,
  type ContainerState,
  type ExecResult,
  type ImageCredentials,
  type ImageRecord,
  isNotFound,
  LABELS,
  type LogFile,
  type LogLocation,
  type PodIdentity,
  type PodState,
  type Runtime,
  type RuntimeHealth,
  type RuntimeVersion,
  type SandboxSpec,
  type SandboxState,
} from "../runtime.ts";
import { containerStateOf, imageRecordOf, podIdentities, sandboxStateOf } from "./cri-answers.ts";
import { translated, unlessGone } from "./cri-error.ts";
import { containerConfig, sandboxConfig } from "./cri-requests.ts";
import { openLogFile, removeLogFiles, rotateLogFile } from "./log-files.ts";
import { Relist, type RuntimeLists } from "./relist.ts";
import { Slots } from "./slots.ts";
import { StrayShims } from "./stray-shims.ts";

export interface CriRuntimeComponents {
  readonly clock: Clock;
  readonly log: Log;
  /** The plugins of the node's network, where the agent has installed them itself. */
  readonly network?: PodNetwork;
}

export interface CriRuntimeOptions {
  readonly socketPath: string;
}

/** Reads answer soon or not at all; what makes or ends something may take as long as the kernel and the network plugin do. */
const READ_TIMEOUT_MS = 10_000;
const WRITE_TIMEOUT_MS = 120_000;
const SANDBOX_TIMEOUT_MS = 240_000;
const EXEC_MARGIN_MS = 5_000;
/** A hundred pods that come at once must not all start processes at once. */
const PARALLEL_WRITES = 8;

/** Pods through CRI v1 on a unix socket (containerd, CRI-O). */
export class CriRuntime implements Runtime {
  readonly #clock: Clock;
  readonly #network: PodNetwork | undefined;
  readonly #channel: GrpcChannel;
  readonly #runtime: ServiceClient<typeof RuntimeServiceDefinition>;
  readonly #images: ServiceClient<typeof ImageServiceDefinition>;
  readonly #relist: Relist;
  readonly #strays: StrayShims;
  readonly #slots = new Slots(PARALLEL_WRITES);
  #name = "containerd";
  /** Sandboxes that are being made. */
  #making = 0;

  constructor(components: CriRuntimeComponents, options: CriRuntimeOptions) {
    this.#clock = components.clock;
    this.#network = components.network;
    this.#channel = new GrpcChannel({ target: `unix://${options.socketPath}` });
    this.#runtime = this.#channel.client(RuntimeServiceDefinition);
    this.#images = this.#channel.client(ImageServiceDefinition);
    this.#strays = new StrayShims(components, options);
    this.#relist = new Relist(components, async () => {
      const lists = await this.#lists({});
      this.#strays.sweep(new Set(lists.sandboxes.map((sandbox) => sandbox.id)), this.#making > 0);
      return lists;
    });
  }

  get name(): string {
    return this.#name;
  }

  async start(): Promise<void> {
    // A runtime that is away now is waited for by everything that asks it.
    await this.version().catch(() => undefined);
    this.#network?.start(async () => (await this.#lists({})).sandboxes.map((sandbox) => sandbox.id));
  }

  async stop(): Promise<void> {
    await this.#network?.stop();
    await this.#relist.stop();
    this.#channel.close();
  }

  async version(): Promise<RuntimeVersion> {
    const answer = await translated(this.#runtime.version({ version: "v1" }, READ));
    if (answer.runtimeName !== "") this.#name = answer.runtimeName;
    return { name: answer.runtimeName, version: answer.runtimeVersion.replace(/^v/, "") };
  }

  async health(): Promise<RuntimeHealth> {
    const [{ status }, networkProblem] = await Promise.all([
      translated(this.#runtime.status({ verbose: false }, READ)),
      this.#network?.problem(),
    ]);
    const conditions = status?.conditions ?? [];
    const find = (type: string) => conditions.find((condition) => condition.type === type);
    const problems = ["RuntimeReady", "NetworkReady"].flatMap((type) => {
      const condition = find(type);
      if (condition?.status === true) return [];
      return [`container runtime ${type}=false reason:${condition?.reason} message:${condition?.message}`];
    });
    if (networkProblem !== undefined) problems.push(`network plugin ${networkProblem}`);
    return {
      runtimeReady: find("RuntimeReady")?.status === true,
      networkReady: find("NetworkReady")?.status === true && networkProblem === undefined,
      message: problems.join(", "),
    };
  }

  async listPods(): Promise<readonly PodIdentity[]> {
    const { sandboxes, containers } = await this.#lists({});
    return podIdentities(sandboxes, containers);
  }

  async readPod(podUid: string): Promise<PodState> {
    const lists = await this.#lists({ [LABELS.podUid]: podUid });
    const [sandboxes, containers] = await Promise.all([
      Promise.all(lists.sandboxes.map((listed) => this.#sandbox(listed))),
      Promise.all(lists.containers.map((listed) => this.#container(listed, lists))),
    ]);
    return {
      sandboxes: sandboxes.filter((each) => each !== undefined).sort((a, b) => b.attempt - a.attempt),
      containers: containers
        .filter((each) => each !== undefined)
        .sort((a, b) => b.createdAtMs - a.createdAtMs || b.attempt - a.attempt),
    };
  }

  watch(listener: (podUid: string) => void): () => void {
    return this.#relist.watch(listener);
  }

  async runSandbox(spec: SandboxSpec): Promise<string> {
    await mkdir(spec.logDirectory, { recursive: true, mode: 0o755 });
    const request = { config: sandboxConfig(spec), runtimeHandler: "" };
    const options = { timeoutMs: SANDBOX_TIMEOUT_MS };
    this.#making++;
    try {
      const make = () => translated(this.#runtime.runPodSandbox(request, options));
      const { podSandboxId } = await this.#slots.run(() => this.#network?.whileAttaching(make) ?? make());
      return podSandboxId;
    } catch (thrown) {
      this.#strays.expect();
      throw thrown;
    } finally {
      this.#making--;
      this.#relist.notice();
    }
  }

  stopSandbox(sandboxId: string): Promise<void> {
    return unlessGone(this.#runtime.stopPodSandbox({ podSandboxId: sandboxId }, WRITE));
  }

  removeSandbox(sandboxId: string): Promise<void> {
    return unlessGone(this.#runtime.removePodSandbox({ podSandboxId: sandboxId }, WRITE));
  }

  async createContainer(sandboxId: string, spec: ContainerSpec, sandbox: SandboxSpec): Promise<string> {
    await mkdir(dirname(join(sandbox.logDirectory, spec.logPath)), { recursive: true, mode: 0o755 });
    const request = {
      podSandboxId: sandboxId,
      config: containerConfig(spec, sandbox),
      sandboxConfig: sandboxConfig(sandbox),
    };
    return (await this.#slots.run(() => translated(this.#runtime.createContainer(request, WRITE)))).containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#slots.run(() => translated(this.#runtime.startContainer({ containerId }, WRITE)));
  }

  async stopContainer(containerId: string, graceSeconds: number, signal?: AbortSignal): Promise<void> {
    const timeoutMs = graceSeconds * 1_000 + WRITE_TIMEOUT_MS;
    const options = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
    await unlessGone(this.#runtime.stopContainer({ containerId, timeout: BigInt(graceSeconds) }, options));
  }

  async removeContainer(containerId: string): Promise<void> {
    const path = await this.#logPath(containerId);
    await unlessGone(this.#runtime.removeContainer({ containerId }, WRITE));
    await removeLogFiles(path);
  }

  async exec(containerId: string, command: readonly string[], timeoutSeconds: number): Promise<ExecResult> {
    const timeoutMs = timeoutSeconds * 1_000 + EXEC_MARGIN_MS;
    const request = { containerId, cmd: [...command], timeout: BigInt(timeoutSeconds) };
    const { exitCode, stdout, stderr } = await translated(this.#runtime.execSync(request, { timeoutMs }));
    return { exitCode, stdout: stdout.toString("utf8"), stderr: stderr.toString("utf8") };
  }

  async listImages(): Promise<readonly ImageRecord[]> {
    const { images } = await translated(this.#images.listImages({ filter: undefined }, READ));
    return images.map(imageRecordOf);
  }

  async findImage(reference: string): Promise<ImageRecord | undefined> {
    const image = ImageSpec.fromPartial({ image: reference });
    const answer = await translated(this.#images.imageStatus({ image, verbose: false }, READ));
    return answer.image === undefined || answer.image.id === "" ? undefined : imageRecordOf(answer.image);
  }

  async pullImage(reference: string, credentials: ImageCredentials | undefined, signal: AbortSignal): Promise<string> {
    const request = PullImageRequest.fromPartial({
      image: { image: reference },
      ...(credentials === undefined ? {} : { auth: { ...credentials } }),
    });
    return (await translated(this.#images.pullImage(request, { signal }))).imageRef;
  }

  openLog(container: LogLocation): Promise<LogFile | undefined> {
    return openLogFile(container.logPath);
  }

  async rotateLog(container: LogLocation, maxBytes: number, maxFiles: number): Promise<void> {
    const stamp = formatTime(this.#clock.nowMs()).replace(/[-:Z]/g, "").replace("T", "-");
    const reopen = async () => {
      await translated(this.#runtime.reopenContainerLog({ containerId: container.id }, WRITE));
    };
    await rotateLogFile(container.logPath, { maxBytes, maxFiles, stamp }, reopen);
  }

  async #lists(labelSelector: Record<string, string>): Promise<RuntimeLists> {
    const [{ items }, { containers }] = await Promise.all([
      translated(this.#runtime.listPodSandbox(ListPodSandboxRequest.fromPartial({ filter: { labelSelector } }), READ)),
      translated(this.#runtime.listContainers(ListContainersRequest.fromPartial({ filter: { labelSelector } }), READ)),
    ]);
    return { sandboxes: items, containers };
  }

  /** Undefined when it went between the list and this call. */
  async #sandbox(listed: RuntimeLists["sandboxes"][number]): Promise<SandboxState | undefined> {
    try {
      const request = { podSandboxId: listed.id, verbose: false };
      const { status } = await translated(this.#runtime.podSandboxStatus(request, READ));
      return sandboxStateOf(listed, status);
    } catch (thrown) {
      if (isNotFound(thrown)) return undefined;
      throw thrown;
    }
  }

  async #container(listed: Container, lists: RuntimeLists): Promise<ContainerState | undefined> {
    try {
      const request = { containerId: listed.id, verbose: false };
      const { status } = await translated(this.#runtime.containerStatus(request, READ));
      return status === undefined ? undefined : containerStateOf(listed, status, lists);
    } catch (thrown) {
      if (isNotFound(thrown)) return undefined;
      throw thrown;
    }
  }

  async #logPath(containerId: string): Promise<string> {
    try {
      const { status } = await translated(this.#runtime.containerStatus({ containerId, verbose: false }, READ));
      return status?.logPath ?? "";
    } catch (thrown) {
      if (isNotFound(thrown)) return "";
      throw thrown;
    }
  }
}

const READ = { timeoutMs: READ_TIMEOUT_MS };
const WRITE = { timeoutMs: WRITE_TIMEOUT_MS };
