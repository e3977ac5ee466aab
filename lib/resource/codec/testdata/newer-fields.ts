import type { TableField, TableMessage } from "./table-schemas.ts";

/**
 * Members that some golden objects have and the contract tables (1.36) lack: upstream added them later. With them every
 * golden object can be compared to the byte. They are for this test alone and no part of our API.
 */
export const NEWER_FIELDS: Readonly<Record<string, readonly TableField[]>> = {
  "core/v1.EmptyDirVolumeSource": [pointer("mode", 3, "int32")],
  "core/v1.SecretVolumeSource": [pointer("defaultUser", 5, "int64")],
  "core/v1.ConfigMapVolumeSource": [pointer("defaultUser", 5, "int64")],
  "core/v1.DownwardAPIVolumeSource": [pointer("defaultUser", 3, "int64")],
  "core/v1.ProjectedVolumeSource": [pointer("defaultUser", 3, "int64")],
  "core/v1.KeyToPath": [pointer("user", 4, "int64")],
  "core/v1.DownwardAPIVolumeFile": [pointer("user", 5, "int64")],
  "core/v1.ServiceAccountTokenProjection": [pointer("user", 4, "int64")],
  "core/v1.ClusterTrustBundleProjection": [pointer("user", 6, "int64")],
  "core/v1.PodCertificateProjection": [pointer("user", 8, "int64")],
  "core/v1.VolumeMount": [list("bindMountOptions", 8, "string")],
  "core/v1.HTTPGetAction": [pointer("protocol", 6, "string")],
  "core/v1.GRPCAction": [pointer("mode", 3, "string")],
  "core/v1.PodSpec": [list("evictionResponders", 44, "EvictionResponder")],
  "core/v1.PodStatus": [list("volumeHealth", 22, "PodVolumeHealth")],
  "core/v1.NodeSpec": [pointer("podPreemptionPolicy", 8, "PodPreemptionPolicy")],
  "core/v1.NodeAllocatableResourceClaimStatus": [list("mapping", 4, "Mapping"), list("overhead", 5, "Overhead")],
  "core/v1.PersistentVolumeClaimStatus": [pointer("healthStatus", 10, "ClaimHealth")],
  "batch/v1.JobSpec": [pointer("scheduling", 17, "JobScheduling")],
};

/** Members of 1.36 that are gone there. */
export const GONE_FIELDS: Readonly<Record<string, string>> = { "core/v1.NodeAllocatableResourceClaimStatus": "resources" };

/** Messages that these fields need; their names are ours. */
export const NEWER_MESSAGES: readonly TableMessage[] = [
  message("core/v1.EvictionResponder", [value("name", 1, "string"), pointer("priority", 2, "int32")]),
  message("core/v1.VolumeHealthCondition", ["status", "reason", "message"].map((name, index) => text(name, index + 1))),
  message("core/v1.PodVolumeHealth", [
    text("name", 1),
    list("healthConditions", 2, "VolumeHealthCondition"),
    pointer("lastTransitionTime", 3, "meta/v1.Time"),
  ]),
  message("core/v1.ClaimHealth", [
    list("healthConditions", 1, "VolumeHealthCondition"),
    pointer("lastTransitionTime", 2, "meta/v1.Time"),
  ]),
  message("core/v1.PodPreemptionPolicy", [list("disableResizePreemption", 1, "string")]),
  message("core/v1.Mapping", [text("name", 1), pointer("quantity", 2, "quantity.Quantity")]),
  message("core/v1.Overhead", [
    text("name", 1),
    pointer("perPod", 2, "quantity.Quantity"),
    pointer("perContainer", 3, "quantity.Quantity"),
  ]),
  message("batch/v1.JobScheduling", [
    pointer("schedulingPolicy", 1, "JobSchedulingPolicy"),
    pointer("schedulingConstraints", 2, "JobSchedulingConstraints"),
    pointer("disruptionMode", 3, "JobDisruptionMode"),
    list("resourceClaims", 4, "JobResourceClaim"),
  ]),
  message("batch/v1.JobSchedulingPolicy", [pointer("basic", 1, "Nothing"), pointer("gang", 2, "JobGang")]),
  message("batch/v1.JobGang", [pointer("minCount", 1, "int32")]),
  message("batch/v1.JobSchedulingConstraints", [list("topology", 1, "JobTopology")]),
  message("batch/v1.JobTopology", [text("key", 1)]),
  message("batch/v1.JobDisruptionMode", [pointer("single", 1, "Nothing"), pointer("all", 2, "Nothing")]),
  message("batch/v1.JobResourceClaim", [
    text("name", 1),
    pointer("resourceClaimName", 2, "string"),
    pointer("resourceClaimTemplateName", 3, "string"),
  ]),
  message("batch/v1.Nothing", []),
];

function message(m: string, f: readonly TableField[]): TableMessage {
  return { m, f };
}

function value(n: string, i: number, t: string): TableField {
  return { n, i, t };
}

function text(n: string, i: number): TableField {
  return { n, i, t: "string", oe: 1 };
}

function pointer(n: string, i: number, t: string): TableField {
  return { n, i, t, p: 1, oe: 1 };
}

function list(n: string, i: number, t: string): TableField {
  return { n, i, t, r: 1, oe: 1 };
}
