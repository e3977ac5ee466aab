import type { Container, PersistentVolumeClaimSpec } from "../../../gen/k8s/core/v1.ts";
import { LabelSelector, type LabelSelectorObject, labelSelectorFromObject } from "../../selector/label-selector.ts";

/** `a=b,c=d`, sorted by key, or `<none>`. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const names = Object.keys(labels ?? {}).sort();
  return names.length === 0 ? "<none>" : names.map((name) => `${name}=${labels?.[name]}`).join(",");
}

/** The canonical text of a selector; one that selects everything shows as `<none>`, a broken one as `<invalid>`. */
export function formatSelector(selector: LabelSelectorObject | undefined): string {
  try {
    const parsed = selector === undefined ? LabelSelector.nothing : labelSelectorFromObject(selector);
    return parsed.toString() === "" ? "<none>" : parsed.toString();
  } catch {
    return "<invalid>";
  }
}

/** The wide cells `Containers` and `Images`. */
export function containerCells(containers: readonly Container[] | undefined): { Containers: string; Images: string } {
  return {
    Containers: (containers ?? []).map((container) => container.name ?? "").join(","),
    Images: (containers ?? []).map((container) => container.image ?? "").join(","),
  };
}

const accessModeNames: readonly (readonly [mode: string, short: string])[] = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"],
];

/** `RWO,ROX` in upstream's order. */
export function formatAccessModes(modes: PersistentVolumeClaimSpec["accessModes"]): string {
  return accessModeNames
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(",");
}

/** The class of a volume or claim: the old annotation wins over the field. */
export function storageClassOf(
  annotations: Readonly<Record<string, string>> | undefined,
  className: string | undefined,
): string {
  return annotations?.["volume.beta.kubernetes.io/storage-class"] ?? className ?? "";
}
