import type { Container, ContainerPort, Volume, VolumeMount } from "../../../gen/k8s/core/v1.ts";
import type { FieldPath } from "../../field-path.ts";
import { dnsLabelProblems, portNameProblems, portNumberProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";
import { checkEnvironment } from "./environment-rules.ts";
import { checkHandler, checkProbe } from "./probe-rules.ts";
import { checkResources } from "./resource-rules.ts";

export interface ContainerContext {
  readonly volumes: readonly Volume[];
  readonly hostNetwork: boolean;
  /** Names taken by any container of the pod so far. */
  readonly names: Set<string>;
}

/** `kind` is the member of the pod that lists the containers. */
export function checkContainers(
  containers: readonly Container[],
  kind: "containers" | "initContainers",
  path: FieldPath,
  context: ContainerContext,
  violations: Violations,
): void {
  for (const [index, container] of containers.entries()) {
    const at = path.index(index);
    checkContainer(container, at, context, violations);
    if (kind === "initContainers") checkInitContainer(container, at, violations);
    else checkProbes(container, at, violations);
  }
  checkHostPorts(containers, path, violations);
}

function checkContainer(
  container: Container,
  path: FieldPath,
  { volumes, hostNetwork, names }: ContainerContext,
  violations: Violations,
): void {
  const { name = "", ports = [] } = container;
  checkName(name, path.child("name"), names, violations);
  checkImage(container.image, path.child("image"), violations);
  checkPorts(ports, path.child("ports"), hostNetwork, violations);
  checkEnvironment(container, path, violations);
  checkMounts(container.volumeMounts ?? [], path.child("volumeMounts"), volumes, violations);
  checkDevices(container, path.child("volumeDevices"), volumes, violations);
  checkResources(container.resources, path.child("resources"), violations);
  checkSecurityContext(container, path.child("securityContext"), violations);
  for (const [index, policy] of (container.resizePolicy ?? []).entries()) {
    const at = path.child("resizePolicy").index(index);
    if (policy.resourceName !== "cpu" && policy.resourceName !== "memory") {
      violations.notSupported(at.child("resourceName"), policy.resourceName ?? "", ["cpu", "memory"]);
    }
  }
}

function checkName(name: string, path: FieldPath, names: Set<string>, violations: Violations): void {
  if (name === "") violations.required(path);
  else violations.invalidEach(path, name, dnsLabelProblems(name));
  if (name === "") return;
  if (names.has(name)) violations.duplicate(path, name);
  names.add(name);
}

export function checkImage(image: string | undefined, path: FieldPath, violations: Violations): void {
  if (image === undefined || image === "") violations.required(path);
  else if (image.trim() !== image) violations.invalid(path, image, "must not have leading or trailing whitespace");
}

function checkProbes(container: Container, path: FieldPath, violations: Violations): void {
  checkProbe(container.livenessProbe, path.child("livenessProbe"), violations, { onlyOneSuccess: true });
  checkProbe(container.readinessProbe, path.child("readinessProbe"), violations);
  const grace = container.readinessProbe?.terminationGracePeriodSeconds;
  if (grace !== undefined) {
    const at = path.child("readinessProbe", "terminationGracePeriodSeconds");
    violations.invalid(at, grace, "must not be set for readinessProbes");
  }
  checkProbe(container.startupProbe, path.child("startupProbe"), violations, { onlyOneSuccess: true });
  const { postStart, preStop } = container.lifecycle ?? {};
  if (postStart !== undefined) checkHandler(postStart, path.child("lifecycle", "postStart"), violations);
  if (preStop !== undefined) checkHandler(preStop, path.child("lifecycle", "preStop"), violations);
}

/** A side-car (`restartPolicy: Always`) may do what others that start a pod up may not. */
function checkInitContainer(container: Container, path: FieldPath, violations: Violations): void {
  if (container.restartPolicy === "Always") {
    checkProbes(container, path, violations);
    return;
  }
  for (const member of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const) {
    if (container[member] === undefined) continue;
    violations.forbidden(path.child(member), "may not be set for init containers without restartPolicy=Always");
  }
}

function checkPorts(
  ports: readonly ContainerPort[],
  path: FieldPath,
  hostNetwork: boolean,
  violations: Violations,
): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = path.index(index);
    const { name = "", containerPort = 0, hostPort = 0 } = port;
    if (name !== "") {
      const problems = portNameProblems(name);
      violations.invalidEach(at.child("name"), name, problems);
      if (problems.length === 0 && names.has(name)) violations.duplicate(at.child("name"), name);
      names.add(name);
    }
    if (containerPort === 0) violations.required(at.child("containerPort"));
    else violations.invalidEach(at.child("containerPort"), containerPort, portNumberProblems(containerPort));
    if (hostPort !== 0) violations.invalidEach(at.child("hostPort"), hostPort, portNumberProblems(hostPort));
    if (port.protocol === undefined) violations.required(at.child("protocol"));
    if (hostNetwork && hostPort !== containerPort) {
      violations.invalid(at.child("containerPort"), containerPort, "must match `hostPort` when `hostNetwork` is true");
    }
  }
}

function checkHostPorts(containers: readonly Container[], path: FieldPath, violations: Violations): void {
  const taken = new Set<string>();
  for (const [index, container] of containers.entries()) {
    for (const [position, port] of (container.ports ?? []).entries()) {
      if ((port.hostPort ?? 0) === 0) continue;
      const key = `${port.protocol ?? ""}/${port.hostIP ?? ""}/${port.hostPort}`;
      if (taken.has(key)) violations.duplicate(path.index(index).child("ports").index(position).child("hostPort"), key);
      taken.add(key);
    }
  }
}

function checkMounts(
  mounts: readonly VolumeMount[],
  path: FieldPath,
  volumes: readonly Volume[],
  violations: Violations,
): void {
  const places = new Set<string>();
  for (const [index, mount] of mounts.entries()) {
    const at = path.index(index);
    const { name = "", mountPath = "", subPath = "", subPathExpr = "" } = mount;
    if (name === "") violations.required(at.child("name"));
    if (!volumes.some((volume) => volume.name === name)) violations.notFound(at.child("name"), name);
    if (mountPath === "") violations.required(at.child("mountPath"));
    else if (places.has(mountPath)) violations.invalid(at.child("mountPath"), mountPath, "must be unique");
    places.add(mountPath);
    if (subPath !== "" && subPathExpr !== "") {
      violations.invalid(at.child("subPathExpr"), subPathExpr, "subPathExpr and subPath are mutually exclusive");
    }
    checkLocalPath(subPath, at.child("subPath"), violations);
    checkLocalPath(subPathExpr, at.child("subPathExpr"), violations);
  }
}

function checkLocalPath(text: string, path: FieldPath, violations: Violations): void {
  if (text.startsWith("/")) violations.invalid(path, text, "must be a relative path");
  if (text.split("/").includes("..")) violations.invalid(path, text, "must not contain '..'");
}

function checkDevices(container: Container, path: FieldPath, volumes: readonly Volume[], violations: Violations): void {
  for (const [index, device] of (container.volumeDevices ?? []).entries()) {
    const at = path.index(index);
    const { name = "", devicePath = "" } = device;
    if (name === "") violations.required(at.child("name"));
    const volume = volumes.find((one) => one.name === name);
    if (volume === undefined) violations.notFound(at.child("name"), name);
    else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined) {
      const detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
      violations.invalid(at.child("name"), name, detail);
    }
    if (devicePath === "") violations.required(at.child("devicePath"));
  }
}

const MAX_ID = 2_147_483_647;

function checkSecurityContext({ securityContext }: Container, path: FieldPath, violations: Violations): void {
  if (securityContext === undefined) return;
  for (const member of ["runAsUser", "runAsGroup"] as const) {
    const id = securityContext[member];
    if (id !== undefined && (id < 0 || id > MAX_ID)) {
      violations.invalid(path.child(member), id, `must be between 0 and ${MAX_ID}, inclusive`);
    }
  }
  if (securityContext.allowPrivilegeEscalation !== false) return;
  if (securityContext.privileged === true) {
    const detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
    violations.invalid(path, securityContext, detail);
  }
  if (securityContext.capabilities?.add?.some((name) => name === "CAP_SYS_ADMIN") === true) {
    const detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
    violations.invalid(path, securityContext, detail);
  }
}
