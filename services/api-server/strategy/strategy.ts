import type { KubeObject } from "../core/kube-object.ts";
import type { Identity } from "../core/request.ts";

export interface StrategyContext {
  readonly nowMs: number;
  readonly identity: Identity;
  /** Empty for the object itself. */
  readonly subresource: string;
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
  prepareStatusUpdate?(object: KubeObject, old: KubeObject, context: StrategyContext): void;
  /** Seconds of grace for a delete; absent: the kind knows no grace. */
  graceSeconds?(object: KubeObject, asked: number | undefined): number;
}
