import { expect, test } from "vitest";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { loadRegistry, type Registry } from "../../lib/resource/registry.ts";

/**
 * What a later release added and we read and write, but do not serve (`since`): names and numbers in
 * kubernetes/api:core/v1/generated.proto at v0.37.0-beta.0. A field of 1.36 that is marked by mistake, or one of 1.37 that
 * is not, shows here and in the comparison with the tables.
 */
const LATER_FIELDS: Readonly<Record<string, number>> = {
  "ClusterTrustBundleProjection.user": 6,
  "ConfigMapVolumeSource.defaultUser": 5,
  "DownwardAPIVolumeFile.user": 5,
  "DownwardAPIVolumeSource.defaultUser": 3,
  "EmptyDirVolumeSource.mode": 3,
  "GRPCAction.mode": 3,
  "HTTPGetAction.protocol": 6,
  "KeyToPath.user": 4,
  "NodeAllocatableResourceClaimStatus.mapping": 4,
  "NodeAllocatableResourceClaimStatus.overhead": 5,
  "NodeSpec.podPreemptionPolicy": 8,
  "PersistentVolumeClaimStatus.healthStatus": 10,
  "PodCertificateProjection.user": 8,
  "PodSpec.evictionResponders": 44,
  "PodStatus.volumeHealth": 22,
  "ProjectedVolumeSource.defaultUser": 3,
  "SecretVolumeSource.defaultUser": 5,
  "ServiceAccountTokenProjection.user": 4,
  "VolumeMount.bindMountOptions": 8,
};
const LATER_MESSAGES = [
  "EvictionResponder",
  "NodeAllocatableMappedResources",
  "NodeAllocatableOverheadResources",
  "NodePodPreemptionPolicy",
  "PodVolumeHealth",
  "VolumeHealthCondition",
  "VolumeHealthStatus",
];
const CORE = "k8s.io.api.core.v1.";

const served = loadRegistry(kindDescriptors);
const whole = loadRegistry(kindDescriptors, { withLaterFields: true });

function fieldsOf(registry: Registry, message: string): [string, number][] {
  const fields = registry.message(message)?.fields ?? [];
  return fields.map(({ protoName, number }) => [`${message}.${protoName}`, number]);
}

test("fields that are later than the API that we serve are these", () => {
  const known = new Set(served.messageNames().flatMap((message) => fieldsOf(served, message).map(([path]) => path)));
  const later = served
    .messageNames()
    .flatMap((message) => fieldsOf(whole, message))
    .filter(([path]) => !known.has(path));
  expect(Object.fromEntries(later)).toEqual(
    Object.fromEntries(Object.entries(LATER_FIELDS).map(([path, number]) => [CORE + path, number])),
  );
});

test("messages that are later than the API that we serve are these", () => {
  const known = new Set(served.messageNames());
  const later = whole.messageNames().filter((name) => !known.has(name));
  expect(later.sort()).toEqual(LATER_MESSAGES.map((name) => CORE + name));
});
