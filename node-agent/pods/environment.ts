import type { Container, EnvVar, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { ConfigSource } from "./config-source.ts";
import { expand } from "./expand.ts";
import { ConfigError, type FieldSources, fieldOf, resourceOf } from "./field-ref.ts";

export interface EnvironmentSources extends FieldSources {
  readonly config: ConfigSource;
  /** Of the node, for `resourceFieldRef` without a limit. */
  readonly allocatable: Readonly<Record<string, string>>;
  /** What every container is given before its own (service addresses). */
  readonly serviceEnvironment: Readonly<Record<string, string>>;
}

/** A container's environment in the order of its spec. Throws ConfigError when something that it needs is missing. */
export async function environmentOf(
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
): Promise<ReadonlyMap<string, string>> {
  const result = new Map<string, string>(Object.entries(sources.serviceEnvironment));
  for (const from of container.envFrom ?? []) {
    for (const [key, value] of await entriesOf(pod, from, sources)) result.set(`${from.prefix ?? ""}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = await variableValue(pod, container, variable, result, sources);
    if (value !== undefined) result.set(variable.name ?? "", value);
  }
  return result;
}

type EnvFrom = NonNullable<Container["envFrom"]>[number];

async function entriesOf(pod: Pod, from: EnvFrom, sources: EnvironmentSources): Promise<[string, string][]> {
  const namespace = pod.metadata?.namespace ?? "";
  if (from.configMapRef !== undefined) {
    const { name = "", optional } = from.configMapRef;
    const map = await sources.config.configMap(namespace, name);
    if (map === undefined && optional !== true) throw new ConfigError(`configmap "${name}" not found`);
    return Object.entries(map?.data ?? {});
  }
  if (from.secretRef !== undefined) {
    const { name = "", optional } = from.secretRef;
    const secret = await sources.config.secret(namespace, name);
    if (secret === undefined && optional !== true) throw new ConfigError(`secret "${name}" not found`);
    return Object.entries(secret?.data ?? {}).map(([key, value]) => [key, decoded(value)]);
  }
  return [];
}

async function variableValue(
  pod: Pod,
  container: Container,
  variable: EnvVar,
  before: ReadonlyMap<string, string>,
  sources: EnvironmentSources,
): Promise<string | undefined> {
  const from = variable.valueFrom;
  if (from === undefined) return expand(variable.value ?? "", (name) => before.get(name));
  const namespace = pod.metadata?.namespace ?? "";
  if (from.fieldRef !== undefined) return fieldOf(pod, from.fieldRef.fieldPath ?? "", sources);
  if (from.resourceFieldRef !== undefined) {
    const { containerName, resource = "", divisor } = from.resourceFieldRef;
    const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const named = containerName === undefined ? container : all.find((each) => each.name === containerName);
    if (named === undefined) throw new ConfigError(`container ${containerName} not found`);
    return resourceOf(named, resource, divisor, sources.allocatable);
  }
  if (from.configMapKeyRef !== undefined) {
    const { name = "", key = "", optional } = from.configMapKeyRef;
    const map = await sources.config.configMap(namespace, name);
    return required(
      map?.data?.[key],
      optional,
      map === undefined
        ? `configmap "${name}" not found`
        : `couldn't find key ${key} in ConfigMap ${namespace}/${name}`,
    );
  }
  if (from.secretKeyRef !== undefined) {
    const { name = "", key = "", optional } = from.secretKeyRef;
    const secret = await sources.config.secret(namespace, name);
    const value = secret?.data?.[key];
    return required(
      value === undefined ? undefined : decoded(value),
      optional,
      secret === undefined ? `secret "${name}" not found` : `couldn't find key ${key} in Secret ${namespace}/${name}`,
    );
  }
  return "";
}

function required(value: string | undefined, optional: boolean | undefined, message: string): string | undefined {
  if (value === undefined && optional !== true) throw new ConfigError(message);
  return value;
}

function decoded(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
