import type { Violations } from "./violations.ts";

/** What annotations cannot say of one kind. Each function adds all that it finds wrong. */
export interface KindRules<T = never> {
  /** Holds for every object that a client sends, created or updated. */
  readonly object?: (object: T, violations: Violations) => void;
  /** Only for new objects. */
  readonly create?: (object: T, violations: Violations) => void;
  /** What an update of the object itself may change. */
  readonly update?: (object: T, old: T, violations: Violations) => void;
  /** What an update through a subresource may change; `object` and `update` are not asked then. */
  readonly subresource?: (name: string, object: T, old: T, violations: Violations) => void;
}
