import type { Taint, Toleration } from "../../../lib/gen/k8s/core/v1.ts";

/** Source of the rule: API reference of Toleration; an empty key with Exists tolerates all, an empty effect every effect. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = "", operator = "Equal", value = "", effect = "" } = toleration;
  if (effect !== "" && effect !== taint.effect) return false;
  if (key !== "" && key !== taint.key) return false;
  if (operator === "Exists") return true;
  if (key === "") return false;
  const has = taint.value ?? "";
  if (operator === "Lt" || operator === "Gt") return comesBefore(operator, has, value);
  return has === value;
}

/** KEP-5471: the taint's number compared with the toleration's; what is no number tolerates nothing. */
function comesBefore(operator: "Lt" | "Gt", has: string, bound: string): boolean {
  if (!/^-?\d{1,18}$/.test(has) || !/^-?\d{1,18}$/.test(bound)) return false;
  return operator === "Lt" ? BigInt(has) < BigInt(bound) : BigInt(has) > BigInt(bound);
}

export function isTolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}
