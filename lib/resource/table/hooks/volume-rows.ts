import type { PersistentVolume, PersistentVolumeClaim } from "../../../gen/k8s/core/v1.ts";
import type { ComputedRow } from "../row-hook.ts";
import { formatAccessModes, storageClassOf } from "./format.ts";

export function persistentVolumeRow(volume: PersistentVolume): ComputedRow {
  const { metadata = {}, spec = {}, status = {} } = volume;
  const claim = spec.claimRef;
  return {
    cells: {
      Capacity: spec.capacity?.["storage"] ?? "0",
      "Access Modes": formatAccessModes(spec.accessModes),
      Status: metadata.deletionTimestamp === undefined ? (status.phase ?? "") : "Terminating",
      Claim: claim === undefined ? "" : `${claim.namespace ?? ""}/${claim.name ?? ""}`,
      StorageClass: storageClassOf(metadata.annotations, spec.storageClassName),
      VolumeAttributesClass: spec.volumeAttributesClassName ?? "<unset>",
      VolumeMode: spec.volumeMode ?? "<unset>",
    },
  };
}

export function persistentVolumeClaimRow(claim: PersistentVolumeClaim): ComputedRow {
  const { metadata = {}, spec = {}, status = {} } = claim;
  const isBound = spec.volumeName !== undefined;
  return {
    cells: {
      Status: metadata.deletionTimestamp === undefined ? (status.phase ?? "") : "Terminating",
      Capacity: isBound ? (status.capacity?.["storage"] ?? "0") : "",
      "Access Modes": isBound ? formatAccessModes(status.accessModes) : "",
      StorageClass: storageClassOf(metadata.annotations, spec.storageClassName),
      VolumeAttributesClass: spec.volumeAttributesClassName ?? "<unset>",
      VolumeMode: spec.volumeMode ?? "<unset>",
    },
  };
}
