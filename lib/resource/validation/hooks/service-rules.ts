import { isIP } from "node:net";
import type { Service, ServicePort, ServiceSpec } from "../../../gen/k8s/core/v1.ts";
import { FieldPath } from "../../field-path.ts";
import type { KindRules } from "../kind-rules.ts";
import { dnsLabelProblems, dnsSubdomainProblems, portNumberProblems } from "../name-format.ts";
import { checkLabels } from "../object-meta-rules.ts";
import type { Violations } from "../violations.ts";
import { checkPort } from "./probe-rules.ts";

const specPath = FieldPath.of("spec");
const ADDRESS_TEXT = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
/** One day. */
const MAX_AFFINITY_SECONDS = 86_400;

export const serviceRules: KindRules<Service> = {
  object({ spec = {} }, violations) {
    checkPorts(spec, violations);
    checkAddresses(spec, violations);
    checkLabels(spec.selector, specPath.child("selector"), violations);
    checkAffinity(spec, violations);
  },
  update({ spec = {} }, { spec: old = {} }, violations) {
    const wasExternal = old.type === "ExternalName";
    if (wasExternal || spec.type === "ExternalName") return;
    const [before] = old.clusterIPs ?? [];
    const [now] = spec.clusterIPs ?? [];
    if (before === undefined || before === now) return;
    violations.invalid(specPath.child("clusterIPs").index(0), spec.clusterIPs ?? [], "may not change once set");
  },
};

function checkPorts(spec: ServiceSpec, violations: Violations): void {
  const { ports = [], type } = spec;
  const path = specPath.child("ports");
  if (ports.length === 0 && spec.clusterIP !== "None" && type !== "ExternalName") violations.required(path);
  const names = new Set<string>();
  const pairs = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = path.index(index);
    checkPortName(port, ports.length > 1, at.child("name"), names, violations);
    violations.invalidEach(at.child("port"), port.port ?? 0, portNumberProblems(port.port ?? 0));
    checkPort(port.targetPort, at.child("targetPort"), violations);
    if ((port.nodePort ?? 0) !== 0 && (type === "ClusterIP" || type === "ExternalName")) {
      violations.forbidden(at.child("nodePort"), `may not be used when \`type\` is '${type}'`);
    }
    const pair = `${port.protocol ?? ""}/${port.port ?? 0}`;
    if (pairs.has(pair)) violations.duplicate(at, { protocol: port.protocol, port: port.port });
    pairs.add(pair);
  }
}

function checkPortName(
  { name = "" }: ServicePort,
  isRequired: boolean,
  path: FieldPath,
  names: Set<string>,
  violations: Violations,
): void {
  if (name === "") {
    if (isRequired) violations.required(path);
    return;
  }
  violations.invalidEach(path, name, dnsLabelProblems(name));
  if (names.has(name)) violations.duplicate(path, name);
  names.add(name);
}

function checkAddresses(spec: ServiceSpec, violations: Violations): void {
  const { type, clusterIP = "", clusterIPs = [], externalIPs = [], externalName = "" } = spec;
  if (type === "ExternalName") {
    if (clusterIP !== "") {
      violations.forbidden(specPath.child("clusterIPs"), "may not be set when `type` is 'ExternalName'");
    }
    const name = externalName.endsWith(".") ? externalName.slice(0, -1) : externalName;
    if (name === "") violations.required(specPath.child("externalName"));
    else violations.invalidEach(specPath.child("externalName"), name, dnsSubdomainProblems(name));
  } else if (clusterIP === "None" && (type === "LoadBalancer" || type === "NodePort")) {
    const detail = `may not be set to 'None' for ${type} services`;
    violations.invalid(specPath.child("clusterIPs").index(0), clusterIP, detail);
  }
  for (const [index, address] of clusterIPs.entries()) {
    if (address === "None" || address === "" || isIP(address) !== 0) continue;
    violations.invalid(specPath.child("clusterIPs").index(index), address, ADDRESS_TEXT);
  }
  for (const [index, address] of externalIPs.entries()) {
    if (isIP(address) !== 0) continue;
    violations.invalid(specPath.child("externalIPs").index(index), address, ADDRESS_TEXT);
  }
}

function checkAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec, violations: Violations): void {
  if (sessionAffinity === "None" && sessionAffinityConfig !== undefined) {
    const path = specPath.child("sessionAffinityConfig");
    violations.forbidden(path, "must not be set when session affinity is None");
  }
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (sessionAffinity !== "ClientIP" || seconds === undefined) return;
  if (seconds > 0 && seconds <= MAX_AFFINITY_SECONDS) return;
  const path = specPath.child("sessionAffinityConfig", "clientIP", "timeoutSeconds");
  violations.invalid(path, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`);
}
