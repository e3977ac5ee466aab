import type { ApiClient } from "../../../lib/client/api-client.ts";
import { StatusError } from "../../../lib/core/status-error.ts";
import type { ResourceRef } from "../../../lib/resource/kind.ts";

const namespaces = ref("", "namespaces", "Namespace");
const priorityClasses = ref("scheduling.k8s.io", "priorityclasses", "PriorityClass");

const NAMESPACES = ["kube-system", "kube-public", "default", "kube-node-lease"];

const configMaps: ResourceRef = { ...ref("", "configmaps", "ConfigMap"), namespaced: true };
const PRIORITY_CLASSES = [
  {
    name: "system-node-critical",
    value: 2_000_001_000,
    description: "Used for system critical pods that must not be moved from their current node.",
  },
  {
    name: "system-cluster-critical",
    value: 2_000_000_000,
    description:
      "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  },
];

/** What every cluster has from the start; goes through the write path like everything else. */
export async function bootstrap(client: ApiClient): Promise<void> {
  for (const name of NAMESPACES) {
    await ensure(client, namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  for (const { name, value, description } of PRIORITY_CLASSES) {
    await ensure(client, priorityClasses, {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name },
      value,
      description,
      preemptionPolicy: "PreemptLowerPriority",
    });
  }
}

/** Whose client certificates are believed, for who serves the same clients: the kubelets. Where and how is upstream's. */
export async function publishClientAuthority(client: ApiClient, clientCaPem: string): Promise<void> {
  const metadata = { name: "extension-apiserver-authentication", namespace: "kube-system" };
  const data = { "client-ca-file": clientCaPem };
  await ensure(client, configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
  await client.patch(configMaps, metadata, { type: "merge", body: { data } });
}

async function ensure(client: ApiClient, to: ResourceRef, object: object): Promise<void> {
  try {
    await client.create(to, object);
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== "AlreadyExists") throw error;
  }
}

function ref(group: string, resource: string, kind: string): ResourceRef {
  return { group, version: "v1", kind, resource, namespaced: false };
}
