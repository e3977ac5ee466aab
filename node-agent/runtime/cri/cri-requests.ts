import {
  type ContainerConfig,
  ContainerConfig as ContainerConfigMessage,
  NamespaceMode as CriNamespaceMode,
  type LinuxContainerSecurityContext,
  LinuxContainerSecurityContext as LinuxContainerSecurityContextMessage,
  MountPropagation,
  type PodSandboxConfig,
  PodSandboxConfig as PodSandboxConfigMessage,
  Protocol,
  SecurityProfile_ProfileType,
} from "../../../lib/gen/runtime/v1/api.ts";
import type { ContainerSpec, MountSpec, NamespaceMode, SandboxSpec, SecuritySpec } from "../runtime.ts";

const NAMESPACE_MODES = {
  pod: CriNamespaceMode.POD,
  container: CriNamespaceMode.CONTAINER,
  node: CriNamespaceMode.NODE,
} satisfies Record<NamespaceMode, CriNamespaceMode>;

const PROTOCOLS = { TCP: Protocol.TCP, UDP: Protocol.UDP, SCTP: Protocol.SCTP };

const PROPAGATIONS = {
  private: MountPropagation.PROPAGATION_PRIVATE,
  "host-to-container": MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
};

/** What of /proc and /sys no ordinary container sees, and what it may not change; the kubelet has to name them. */
const MASKED_PATHS = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const READ_ONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

export function sandboxConfig(spec: SandboxSpec): PodSandboxConfig {
  const { security } = spec;
  return PodSandboxConfigMessage.fromPartial({
    metadata: { name: spec.name, uid: spec.uid, namespace: spec.namespace, attempt: spec.attempt },
    hostname: spec.network === "node" ? "" : spec.hostname,
    logDirectory: spec.logDirectory,
    dnsConfig: { servers: [...spec.dns.servers], searches: [...spec.dns.searches], options: [...spec.dns.options] },
    portMappings: spec.portMappings.map(({ protocol, containerPort, hostPort, hostIp }) => ({
      protocol: PROTOCOLS[protocol],
      containerPort,
      hostPort,
      hostIp,
    })),
    labels: { ...spec.labels },
    annotations: { ...spec.annotations },
    linux: {
      cgroupParent: spec.cgroupParent,
      sysctls: { ...spec.sysctls },
      securityContext: {
        namespaceOptions: namespaceOptions(spec),
        privileged: security.privileged,
        readonlyRootfs: false,
        supplementalGroups: security.supplementalGroups.map(BigInt),
        ...userOf(security),
        seccomp: seccompOf(security),
      },
    },
  });
}

export function containerConfig(spec: ContainerSpec, sandbox: SandboxSpec): ContainerConfig {
  const { resources } = spec;
  return ContainerConfigMessage.fromPartial({
    metadata: { name: spec.name, attempt: spec.attempt },
    image: { image: spec.image },
    command: [...spec.command],
    args: [...spec.args],
    workingDir: spec.workingDir,
    envs: spec.env.map(({ name, value }) => ({ key: name, value: Buffer.from(value) })),
    mounts: spec.mounts.map(mountOf),
    labels: { ...spec.labels },
    annotations: { ...spec.annotations },
    logPath: spec.logPath,
    stdin: spec.stdin,
    stdinOnce: spec.stdinOnce,
    tty: spec.tty,
    linux: {
      resources: {
        cpuShares: BigInt(resources.cpuShares),
        cpuQuota: BigInt(resources.cpuQuotaUs),
        cpuPeriod: BigInt(resources.cpuPeriodUs),
        memoryLimitInBytes: BigInt(resources.memoryLimitBytes),
        oomScoreAdj: BigInt(resources.oomScoreAdj),
      },
      securityContext: containerSecurity(spec.security, sandbox),
    },
  });
}

function containerSecurity(security: SecuritySpec, sandbox: SandboxSpec): LinuxContainerSecurityContext {
  return LinuxContainerSecurityContextMessage.fromPartial({
    capabilities: {
      addCapabilities: [...security.addCapabilities],
      dropCapabilities: [...security.dropCapabilities],
      addAmbientCapabilities: [],
    },
    privileged: security.privileged,
    namespaceOptions: namespaceOptions(sandbox),
    readonlyRootfs: security.readOnlyRootFilesystem,
    supplementalGroups: security.supplementalGroups.map(BigInt),
    noNewPrivs: security.noNewPrivileges,
    maskedPaths: security.privileged ? [] : MASKED_PATHS,
    readonlyPaths: security.privileged ? [] : READ_ONLY_PATHS,
    ...userOf(security),
    seccomp: seccompOf(security),
  });
}

function namespaceOptions(sandbox: SandboxSpec) {
  return {
    network: NAMESPACE_MODES[sandbox.network],
    pid: NAMESPACE_MODES[sandbox.pid],
    ipc: NAMESPACE_MODES[sandbox.ipc],
    targetId: "",
  };
}

function userOf(security: SecuritySpec): { runAsUser?: { value: bigint }; runAsGroup?: { value: bigint } } {
  const { runAsUser, runAsGroup } = security;
  return {
    ...(runAsUser === undefined ? {} : { runAsUser: { value: BigInt(runAsUser) } }),
    // The CRI refuses a group without a user.
    ...(runAsGroup === undefined || runAsUser === undefined ? {} : { runAsGroup: { value: BigInt(runAsGroup) } }),
  };
}

function seccompOf({ seccomp }: SecuritySpec) {
  if (seccomp === "runtime-default")
    return { profileType: SecurityProfile_ProfileType.RuntimeDefault, localhostRef: "" };
  if (seccomp === "unconfined") return { profileType: SecurityProfile_ProfileType.Unconfined, localhostRef: "" };
  return { profileType: SecurityProfile_ProfileType.Localhost, localhostRef: seccomp.slice("localhost:".length) };
}

function mountOf(mount: MountSpec) {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.readOnly,
    propagation: PROPAGATIONS[mount.propagation ?? "private"],
  };
}
