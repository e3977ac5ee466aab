import { isIP } from "node:net";
import type { PodSpec, Sysctl } from "../../../gen/k8s/core/v1.ts";
import type { FieldPath } from "../../field-path.ts";
import { dnsLabelProblems, dnsSubdomainProblems, qualifiedNameProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";
import { checkContainers } from "./container-rules.ts";
import { checkResources } from "./resource-rules.ts";
import { checkScheduling } from "./scheduling-rules.ts";
import { checkVolumes } from "./volume-rules.ts";

const MAX_INT32 = 2_147_483_647;
const MAX_NAMESERVERS = 3;

/** Rules of a pod's spec, in a pod or a template. Source of facts: kubernetes/kubernetes:pkg/apis/core/validation. */
export function checkPodSpec(spec: PodSpec, path: FieldPath, violations: Violations): void {
  const { containers = [], initContainers = [], volumes = [] } = spec;
  checkVolumes(volumes, path.child("volumes"), violations);
  if (containers.length === 0) violations.required(path.child("containers"));
  const context = { volumes, hostNetwork: spec.hostNetwork === true, names: new Set<string>() };
  checkContainers(containers, "containers", path.child("containers"), context, violations);
  checkContainers(initContainers, "initContainers", path.child("initContainers"), context, violations);
  if (spec.restartPolicy === undefined) violations.required(path.child("restartPolicy"));
  if (spec.dnsPolicy === undefined) violations.required(path.child("dnsPolicy"));
  checkDeadline(spec, path, violations);
  checkNames(spec, path, violations);
  checkScheduling(spec, path, violations);
  checkDns(spec, path, violations);
  checkResources(spec.resources, path.child("resources"), violations);
  checkSecurity(spec, path, violations);
  checkHostAliases(spec, path, violations);
  for (const [index, { conditionType = "" }] of (spec.readinessGates ?? []).entries()) {
    const at = path.child("readinessGates").index(index).child("conditionType");
    violations.invalidEach(at, conditionType, qualifiedNameProblems(conditionType));
  }
}

function checkDeadline({ activeDeadlineSeconds: seconds }: PodSpec, path: FieldPath, violations: Violations): void {
  if (seconds !== undefined && (seconds < 1 || seconds > MAX_INT32)) {
    violations.invalid(path.child("activeDeadlineSeconds"), seconds, `must be between 1 and ${MAX_INT32}, inclusive`);
  }
}

function checkNames(spec: PodSpec, path: FieldPath, violations: Violations): void {
  const check = (member: keyof PodSpec & string, problemsOf: (name: string) => string[]): void => {
    const name = spec[member];
    if (typeof name === "string" && name !== "") violations.invalidEach(path.child(member), name, problemsOf(name));
  };
  check("serviceAccountName", dnsSubdomainProblems);
  check("nodeName", dnsSubdomainProblems);
  check("priorityClassName", dnsSubdomainProblems);
  check("runtimeClassName", dnsSubdomainProblems);
  check("hostname", dnsLabelProblems);
  check("subdomain", dnsLabelProblems);
  check("schedulerName", qualifiedNameProblems);
  for (const [index, { name = "" }] of (spec.imagePullSecrets ?? []).entries()) {
    if (name === "") violations.required(path.child("imagePullSecrets").index(index).child("name"));
  }
}

function checkDns({ dnsPolicy, dnsConfig }: PodSpec, path: FieldPath, violations: Violations): void {
  const at = path.child("dnsConfig");
  const nameservers = dnsConfig?.nameservers ?? [];
  if (dnsPolicy === "None" && dnsConfig === undefined) {
    violations.required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
  } else if (dnsPolicy === "None" && nameservers.length === 0) {
    violations.required(at.child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
  if (nameservers.length > MAX_NAMESERVERS) {
    violations.invalid(at.child("nameservers"), nameservers, `must not have more than ${MAX_NAMESERVERS} nameservers`);
  }
  for (const [index, option] of (dnsConfig?.options ?? []).entries()) {
    if ((option.name ?? "") === "") violations.required(at.child("options").index(index), "must not be empty");
  }
}

function checkSecurity(spec: PodSpec, path: FieldPath, violations: Violations): void {
  const { securityContext, hostPID, shareProcessNamespace } = spec;
  const at = path.child("securityContext");
  if (hostPID === true && shareProcessNamespace === true) {
    const detail = "ShareProcessNamespace and HostPID cannot both be enabled";
    violations.invalid(at.child("shareProcessNamespace"), true, detail);
  }
  for (const member of ["runAsUser", "runAsGroup", "fsGroup"] as const) {
    const id = securityContext?.[member];
    if (id !== undefined && (id < 0 || id > MAX_INT32)) {
      violations.invalid(at.child(member), id, `must be between 0 and ${MAX_INT32}, inclusive`);
    }
  }
  checkSysctls(securityContext?.sysctls ?? [], at.child("sysctls"), violations);
}

const SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const SYSCTL = `(${SYSCTL_SEGMENT}[\\./])*${SYSCTL_SEGMENT}`;
const sysctlForm = new RegExp(`^(?:${SYSCTL})$`);

function checkSysctls(sysctls: readonly Sysctl[], path: FieldPath, violations: Violations): void {
  const names = new Set<string>();
  for (const [index, { name = "" }] of sysctls.entries()) {
    const at = path.index(index).child("name");
    if (name === "") violations.required(at);
    else if (name.length > 253 || !sysctlForm.test(name)) {
      violations.invalid(at, name, `must have at most 253 characters and match regex ^${SYSCTL}$`);
    } else if (names.has(name)) violations.duplicate(at, name);
    names.add(name);
  }
}

function checkHostAliases({ hostAliases = [] }: PodSpec, path: FieldPath, violations: Violations): void {
  for (const [index, { ip = "", hostnames = [] }] of hostAliases.entries()) {
    const at = path.child("hostAliases").index(index);
    if (isIP(ip) === 0) {
      violations.invalid(at.child("ip"), ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
    for (const [position, name] of hostnames.entries()) {
      violations.invalidEach(at.child("hostnames").index(position), name, dnsSubdomainProblems(name));
    }
  }
}
