import { isRecord, metaOf, textAt, valueAt } from "../core/kube-object.ts";
import type { Strategy } from "./strategy.ts";

export const deploymentStrategy: Strategy = {
  prepareStatusUpdate(object, old) {
    const labels = old.metadata?.labels;
    const meta = metaOf(object);
    if (labels === undefined) delete meta.labels;
    else meta.labels = labels;
  },
};

const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

export const daemonSetStrategy: Strategy = {
  prepareCreate(object) {
    const meta = metaOf(object);
    const annotations = meta.annotations ?? {};
    if (!(Number(annotations[TEMPLATE_GENERATION]) >= 1)) {
      meta.annotations = { ...annotations, [TEMPLATE_GENERATION]: "1" };
    }
  },
  prepareUpdate(object, old) {
    const meta = metaOf(object);
    const previous = textAt(old, "metadata", "annotations", TEMPLATE_GENERATION) || "1";
    const changed =
      JSON.stringify(valueAt(object, "spec", "template")) !== JSON.stringify(valueAt(old, "spec", "template"));
    const next = changed ? String(Number(previous) + 1) : previous;
    meta.annotations = { ...(isRecord(meta.annotations) ? meta.annotations : {}), [TEMPLATE_GENERATION]: next };
  },
};
