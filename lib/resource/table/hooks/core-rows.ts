import type { ComponentStatus, ConfigMap, LimitRange, ResourceQuota, Secret } from "../../../gen/k8s/core/v1.ts";
import type { ComputedRow } from "../row-hook.ts";

export function configMapRow({ data, binaryData }: ConfigMap): ComputedRow {
  return { cells: { Data: Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length } };
}

export function secretRow({ data }: Secret): ComputedRow {
  return { cells: { Data: Object.keys(data ?? {}).length } };
}

export function resourceQuotaRow({ status = {} }: ResourceQuota): ComputedRow {
  const names = Object.keys(status.hard ?? {}).sort();
  const text = (name: string): string => `${name}: ${status.used?.[name] ?? "0"}/${status.hard?.[name]}`;
  const isLimit = (name: string): boolean => name.startsWith("limits");
  return {
    cells: {
      Request: names
        .filter((name) => !isLimit(name))
        .map(text)
        .join(", "),
      Limit: names.filter(isLimit).map(text).join(", "),
    },
  };
}

export function componentStatusRow({ conditions = [] }: ComponentStatus): ComputedRow {
  const healthy = conditions.find((condition) => condition.type === "Healthy");
  return {
    cells: {
      Status: healthy === undefined ? "Unknown" : healthy.status === "True" ? "Healthy" : "Unhealthy",
      Message: healthy?.message ?? "",
      Error: healthy?.error ?? "",
    },
  };
}

/** Shown as a time, not as an age. */
export function limitRangeRow({ metadata }: LimitRange): ComputedRow {
  return { cells: { "Created At": metadata?.creationTimestamp ?? "" } };
}
