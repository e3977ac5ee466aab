import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../../../gen/k8s/apps/v1.ts";
import type { PodTemplate, ReplicationController } from "../../../gen/k8s/core/v1.ts";
import type { ComputedRow } from "../row-hook.ts";
import { containerCells, formatLabels, formatSelector } from "./format.ts";

export function deploymentRow({ spec, status }: Deployment): ComputedRow {
  return {
    cells: {
      Ready: `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
      ...containerCells(spec?.template?.spec?.containers),
      Selector: formatSelector(spec?.selector),
    },
  };
}

export function statefulSetRow({ spec, status }: StatefulSet): ComputedRow {
  return {
    cells: {
      Ready: `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
      ...containerCells(spec?.template?.spec?.containers),
    },
  };
}

export function replicaSetRow({ spec }: ReplicaSet): ComputedRow {
  return { cells: { ...containerCells(spec?.template?.spec?.containers), Selector: formatSelector(spec?.selector) } };
}

export function daemonSetRow({ spec }: DaemonSet): ComputedRow {
  return {
    cells: {
      "Node Selector": formatLabels(spec?.template?.spec?.nodeSelector),
      ...containerCells(spec?.template?.spec?.containers),
      Selector: formatSelector(spec?.selector),
    },
  };
}

export function replicationControllerRow({ spec }: ReplicationController): ComputedRow {
  return { cells: { ...containerCells(spec?.template?.spec?.containers), Selector: formatLabels(spec?.selector) } };
}

export function podTemplateRow({ template }: PodTemplate): ComputedRow {
  return {
    cells: { ...containerCells(template?.spec?.containers), "Pod Labels": formatLabels(template?.metadata?.labels) },
  };
}

export function controllerRevisionRow({ metadata }: ControllerRevision): ComputedRow {
  const owner = metadata?.ownerReferences?.find((reference) => reference.controller === true);
  if (owner === undefined) return { cells: { Controller: "<none>" } };
  const slash = owner.apiVersion?.indexOf("/") ?? -1;
  const group = slash < 0 ? "" : `.${owner.apiVersion?.slice(0, slash)}`;
  return { cells: { Controller: `${owner.kind ?? ""}${group}/${owner.name ?? ""}`.toLowerCase() } };
}
