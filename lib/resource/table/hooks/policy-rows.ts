import type { PodDisruptionBudget } from "../../../gen/k8s/policy/v1.ts";
import type { ComputedRow } from "../row-hook.ts";

export function podDisruptionBudgetRow({ spec }: PodDisruptionBudget): ComputedRow {
  return {
    cells: {
      "Min Available": String(spec?.minAvailable ?? "N/A"),
      "Max Unavailable": String(spec?.maxUnavailable ?? "N/A"),
    },
  };
}
