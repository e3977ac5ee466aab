import type { KubeObject } from "../core/kube-object.ts";

export interface StrategyContext {
  readonly nowMs: number;
}

/**
 * What the annotations of a kind cannot say about its writes. Hooks change the object that they are given; the old one is
 * frozen. Source of behaviour: kubernetes/kubernetes:pkg/registry.
 */
export interface Strategy {
  /** A delete answers with the object even when it is gone at once; otherwise with a Status. */
  readonly returnsDeleted?: boolean;
  prepareCreate?(object: KubeObject, context: StrategyContext): void;
  /** Runs when the object itself is written; status was put back already. */
  prepareUpdate?(object: KubeObject, old: KubeObject): void;
  /** Runs when the status is written; everything but metadata and status was put back already. */
  prepareStatusUpdate?(object: KubeObject, old: KubeObject): void;
  /** Seconds of grace for a delete; absent: the kind knows no grace. */
  graceSeconds?(object: KubeObject, asked: number | undefined): number;
}
