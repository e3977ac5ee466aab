import { join } from "node:path";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { LABELS, type NamespaceMode, type PortMapping, type SandboxSpec } from "../runtime/runtime.ts";
import { type DnsSettings, dnsConfigOf } from "./dns-config.ts";
import { podUid } from "./pod-facts.ts";
import { sandboxSecurityOf } from "./security-spec.ts";

const HOSTNAME_LIMIT = 63;

export interface SandboxSettings {
  readonly podLogsDir: string;
  readonly nodeName: string;
  readonly dns: DnsSettings;
  readonly cgroupParent: string;
}

export function sandboxSpecOf(pod: Pod, attempt: number, settings: SandboxSettings): SandboxSpec {
  const spec = pod.spec ?? {};
  const onHost = spec.hostNetwork === true;
  return {
    name: pod.metadata?.name ?? "",
    namespace: pod.metadata?.namespace ?? "",
    uid: podUid(pod),
    attempt,
    hostname: onHost ? settings.nodeName : hostnameOf(pod),
    logDirectory: podLogDirectory(settings.podLogsDir, pod),
    dns: dnsConfigOf(pod, settings.dns),
    portMappings: onHost ? [] : portMappingsOf(pod),
    labels: { ...pod.metadata?.labels, ...podLabels(pod) },
    annotations: pod.metadata?.annotations ?? {},
    cgroupParent: settings.cgroupParent,
    network: onHost ? "node" : "pod",
    pid: pidModeOf(pod),
    ipc: spec.hostIPC === true ? "node" : "pod",
    sysctls: Object.fromEntries(
      (spec.securityContext?.sysctls ?? []).map(({ name = "", value = "" }) => [name, value]),
    ),
    security: sandboxSecurityOf(pod),
  };
}

export function podLabels(pod: Pod): Record<string, string> {
  return {
    [LABELS.podName]: pod.metadata?.name ?? "",
    [LABELS.podNamespace]: pod.metadata?.namespace ?? "",
    [LABELS.podUid]: podUid(pod),
  };
}

export function podLogDirectory(podLogsDir: string, pod: Pod): string {
  return join(podLogsDir, `${pod.metadata?.namespace}_${pod.metadata?.name}_${podUid(pod)}`);
}

export function hostnameOf(pod: Pod): string {
  const name = pod.spec?.hostname ?? pod.metadata?.name ?? "";
  return name.slice(0, HOSTNAME_LIMIT).replace(/[-.]+$/, "");
}

export function pidModeOf(pod: Pod): NamespaceMode {
  if (pod.spec?.hostPID === true) return "node";
  return pod.spec?.shareProcessNamespace === true ? "pod" : "container";
}

function portMappingsOf(pod: Pod): PortMapping[] {
  return (pod.spec?.containers ?? []).flatMap((container) =>
    (container.ports ?? []).flatMap((port) => {
      const hostPort = Number(port.hostPort ?? 0);
      if (hostPort === 0) return [];
      const protocol = (port.protocol ?? "TCP") as PortMapping["protocol"];
      return [{ protocol, containerPort: Number(port.containerPort ?? 0), hostPort, hostIp: port.hostIP ?? "" }];
    }),
  );
}
