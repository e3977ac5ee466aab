import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { ImageRecord, SecuritySpec } from "../runtime/runtime.ts";
import { ConfigError } from "./field-ref.ts";

/** A container's security settings: its own before the pod's. Throws ConfigError when it must not run as it would. */
export function securityOf(pod: Pod, container: Container, image: ImageRecord | undefined): SecuritySpec {
  const own = container.securityContext ?? {};
  const shared = pod.spec?.securityContext ?? {};
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) === true) mustNotBeRoot(container, runAsUser, image);
  const groups = [...(shared.supplementalGroups ?? []), ...(shared.fsGroup === undefined ? [] : [shared.fsGroup])];
  const seccomp = own.seccompProfile ?? shared.seccompProfile;
  const privileged = own.privileged === true;
  return {
    privileged,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem === true,
    noNewPrivileges: own.allowPrivilegeEscalation === false && !privileged,
    ...(runAsUser === undefined ? {} : { runAsUser: Number(runAsUser) }),
    ...(runAsGroup === undefined ? {} : { runAsGroup: Number(runAsGroup) }),
    supplementalGroups: groups.map(Number),
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    seccomp: seccompOf(seccomp?.type, seccomp?.localhostProfile),
  };
}

/** Of the sandbox itself: never more than its pod. */
export function sandboxSecurityOf(pod: Pod): SecuritySpec {
  const shared = pod.spec?.securityContext ?? {};
  const anyPrivileged = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].some(
    (container) => container.securityContext?.privileged === true,
  );
  return {
    privileged: anyPrivileged,
    readOnlyRootFilesystem: false,
    noNewPrivileges: false,
    ...(shared.runAsUser === undefined ? {} : { runAsUser: Number(shared.runAsUser) }),
    ...(shared.runAsGroup === undefined ? {} : { runAsGroup: Number(shared.runAsGroup) }),
    supplementalGroups: (shared.supplementalGroups ?? []).map(Number),
    addCapabilities: [],
    dropCapabilities: [],
    seccomp: "runtime-default",
  };
}

function seccompOf(type: string | undefined, profile: string | undefined): SecuritySpec["seccomp"] {
  if (type === "RuntimeDefault") return "runtime-default";
  if (type !== "Localhost") return "unconfined";
  if (profile === undefined || profile === "") throw new ConfigError("localhost seccomp profile must be named");
  return `localhost:${profile}`;
}

/** Messages: kubernetes/kubernetes:pkg/kubelet/kuberuntime/security_context. */
function mustNotBeRoot(
  container: Container,
  runAsUser: number | bigint | undefined,
  image: ImageRecord | undefined,
): void {
  if (runAsUser !== undefined) {
    if (Number(runAsUser) === 0) throw new ConfigError("container's runAsUser breaks non-root policy");
    return;
  }
  const user = image?.user;
  if (user === undefined || ("uid" in user && user.uid === 0))
    throw new ConfigError(`container has runAsNonRoot and image will run as root (container: ${container.name})`);
  if ("name" in user)
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${user.name}), cannot verify user is non-root`,
    );
}
