import { createHash } from "node:crypto";
import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { ANNOTATIONS, type ContainerSpec, type ImageRecord, LABELS, type MountSpec } from "../runtime/runtime.ts";
import { expand } from "./expand.ts";
import { resourceLimitsOf } from "./resource-limits.ts";
import { podLabels } from "./sandbox-spec.ts";
import { securityOf } from "./security-spec.ts";

export interface ContainerSources {
  readonly environment: ReadonlyMap<string, string>;
  readonly memoryCapacityBytes: number;
  readonly image: ImageRecord | undefined;
  /** Volumes, /etc/hosts and the termination message, already in place. */
  readonly mounts: readonly MountSpec[];
}

/** The container as the runtime is asked for it. Throws ConfigError for what must not be. */
export function containerSpecOf(
  pod: Pod,
  container: Container,
  attempt: number,
  sources: ContainerSources,
): ContainerSpec {
  const env = sources.environment;
  const expanded = (texts: readonly string[] | undefined) =>
    (texts ?? []).map((text) => expand(text, (name) => env.get(name)));
  return {
    name: container.name ?? "",
    attempt,
    image: sources.image?.id ?? container.image ?? "",
    command: expanded(container.command),
    args: expanded(container.args),
    workingDir: container.workingDir ?? "",
    env: [...env].map(([name, value]) => ({ name, value })),
    mounts: sources.mounts,
    labels: { ...podLabels(pod), [LABELS.containerName]: container.name ?? "" },
    annotations: annotationsOf(pod, container, attempt),
    logPath: `${container.name}/${attempt}.log`,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    resources: resourceLimitsOf(pod, container, sources.memoryCapacityBytes),
    security: securityOf(pod, container, sources.image),
  };
}

/** What an agent that finds this container later has to know when the pod is gone from the API. */
function annotationsOf(pod: Pod, container: Container, attempt: number): Record<string, string> {
  const preStop = container.lifecycle?.preStop;
  const grace = pod.spec?.terminationGracePeriodSeconds;
  return {
    [ANNOTATIONS.hash]: containerHash(container),
    [ANNOTATIONS.restartCount]: String(attempt),
    [ANNOTATIONS.terminationMessagePath]: container.terminationMessagePath ?? "/dev/termination-log",
    [ANNOTATIONS.terminationMessagePolicy]: container.terminationMessagePolicy ?? "File",
    ...(grace === undefined ? {} : { [ANNOTATIONS.podTerminationGracePeriod]: String(grace) }),
    ...(preStop === undefined ? {} : { [ANNOTATIONS.preStopHandler]: JSON.stringify({ lifecycle: { preStop } }) }),
  };
}

/** Names the definition: only name and image, the parts whose change makes a running container another one. */
export function containerHash(container: Container): string {
  return createHash("sha256")
    .update(JSON.stringify([container.name, container.image]))
    .digest("hex")
    .slice(0, 8);
}
