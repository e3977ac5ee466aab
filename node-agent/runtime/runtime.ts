import type { Startable } from "../../lib/core/startable.ts";

/**
 * What runs pods, in the agent's own words. Two implementations, `cri/` and `simulated/`, pass `runtime.suite.ts`.
 * Every call fails with `RuntimeError`. After "timeout" or "unavailable" the outcome is unknown: read the state, never
 * repeat blindly (invariant 48).
 */
export interface Runtime extends Startable {
  /** Prefix of container ids in the API: `containerd`. */
  readonly name: string;
  version(): Promise<RuntimeVersion>;
  health(): Promise<RuntimeHealth>;
  /** Every pod that has a sandbox or a container here, whoever made it. */
  listPods(): Promise<readonly PodIdentity[]>;
  /** Sandboxes and containers of one pod, newest first. */
  readPod(podUid: string): Promise<PodState>;
  /** Calls `listener` after something of a pod changed; calls may be late, merged or too many. Answers how to stop. */
  watch(listener: (podUid: string) => void): () => void;

  /** Makes the sandbox with its network; resolves to its id. */
  runSandbox(spec: SandboxSpec): Promise<string>;
  /** Ends every process in it and gives its network back; nothing to do is success. */
  stopSandbox(sandboxId: string): Promise<void>;
  removeSandbox(sandboxId: string): Promise<void>;
  createContainer(sandboxId: string, spec: ContainerSpec, sandbox: SandboxSpec): Promise<string>;
  startContainer(containerId: string): Promise<void>;
  /** Asks it to end and kills it after `graceSeconds`; resolves when it is dead. */
  stopContainer(containerId: string, graceSeconds: number, signal?: AbortSignal): Promise<void>;
  removeContainer(containerId: string): Promise<void>;
  exec(containerId: string, command: readonly string[], timeoutSeconds: number): Promise<ExecResult>;

  listImages(): Promise<readonly ImageRecord[]>;
  /** Undefined when the image is not here. */
  findImage(reference: string): Promise<ImageRecord | undefined>;
  /** Resolves to the image's reference. */
  pullImage(reference: string, credentials: ImageCredentials | undefined, signal: AbortSignal): Promise<string>;

  /** The log of one container; undefined where there is none (yet, or any more). */
  openLog(container: LogLocation): Promise<LogFile | undefined>;
  /** Moves a log that has grown over `maxBytes` away and keeps at most `maxFiles` of one container. */
  rotateLog(container: LogLocation, maxBytes: number, maxFiles: number): Promise<void>;
}

export interface RuntimeVersion {
  readonly name: string;
  readonly version: string;
}

export interface RuntimeHealth {
  readonly runtimeReady: boolean;
  readonly networkReady: boolean;
  /** Why not, for people. */
  readonly message: string;
}

export interface PodIdentity {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** A sandbox is up, or a container may run. */
  readonly alive: boolean;
}

export interface PodState {
  readonly sandboxes: readonly SandboxState[];
  readonly containers: readonly ContainerState[];
}

export interface SandboxState {
  readonly id: string;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdAtMs: number;
  /** Empty with the host's network and while it is not ready. */
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerState {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly attempt: number;
  /** `unknown`: the runtime does not know whether it runs. */
  readonly state: "created" | "running" | "exited" | "unknown";
  /** The runtime's answer makes no sense (why): nothing is killed or started on its word. */
  readonly suspect?: string;
  readonly createdAtMs: number;
  /** 0 when it has not. */
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  /** As the pod names it. */
  readonly image: string;
  /** Digest form, for `imageID`. */
  readonly imageRef: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mounts: readonly MountSpec[];
  readonly logPath: string;
}

export type LogLocation = Pick<ContainerState, "id" | "logPath">;

export type NamespaceMode = "pod" | "container" | "node";

export interface SandboxSpec {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dns: DnsConfig;
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Empty: the runtime's own default. */
  readonly cgroupParent: string;
  readonly network: "pod" | "node";
  readonly pid: NamespaceMode;
  readonly ipc: "pod" | "node";
  readonly sysctls: Readonly<Record<string, string>>;
  readonly security: SecuritySpec;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PortMapping {
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

export interface SecuritySpec {
  readonly privileged: boolean;
  readonly readOnlyRootFilesystem: boolean;
  readonly noNewPrivileges: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly supplementalGroups: readonly number[];
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  /** `localhost:<profile>` names a file of the node. */
  readonly seccomp: "runtime-default" | "unconfined" | `localhost:${string}`;
}

export interface ContainerSpec {
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  /** Empty: the image's own. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly MountSpec[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's log directory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: ResourceLimits;
  readonly security: SecuritySpec;
}

export interface MountSpec {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readOnly: boolean;
  readonly propagation?: "private" | "host-to-container" | "bidirectional";
}

/** What the kernel enforces; 0 leaves a value alone. */
export interface ResourceLimits {
  readonly cpuShares: number;
  readonly cpuQuotaUs: number;
  readonly cpuPeriodUs: number;
  readonly memoryLimitBytes: number;
  readonly oomScoreAdj: number;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ImageRecord {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** Of the image's configuration: a number, or a name that the image resolves. */
  readonly user: { readonly uid: number } | { readonly name: string } | undefined;
}

export interface ImageCredentials {
  readonly username: string;
  readonly password: string;
}

/** A log in the CRI's line format, read by position. */
export interface LogFile {
  sizeBytes(): Promise<number>;
  /** At most `length` bytes from `offset`; fewer at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** A newer file has taken its place: when this one is read to its end, open again. */
  replaced(): Promise<boolean>;
  close(): Promise<void>;
}

export type RuntimeErrorCode = "not-found" | "timeout" | "unavailable" | "unimplemented" | "failed";

export class RuntimeError extends Error {
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RuntimeError";
    this.code = code;
  }
}

export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof RuntimeError && thrown.code === "not-found";
}

/** Labels and annotations by which an agent finds its own again after a restart; names as upstream's kubelet. */
export const LABELS = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
} as const;

export const ANNOTATIONS = {
  hash: "io.kubernetes.container.hash",
  restartCount: "io.kubernetes.container.restartCount",
  terminationMessagePath: "io.kubernetes.container.terminationMessagePath",
  terminationMessagePolicy: "io.kubernetes.container.terminationMessagePolicy",
  podTerminationGracePeriod: "io.kubernetes.pod.terminationGracePeriod",
  preStopHandler: "io.kubernetes.container.preStopHandler",
} as const;
