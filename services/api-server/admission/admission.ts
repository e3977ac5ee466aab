import { forbidden, type StatusError } from "../../../lib/core/status-error.ts";
import type { KubeObject } from "../core/kube-object.ts";
import type { Call, Target } from "../core/request.ts";

export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly target: Target;
  readonly call: Call;
  /** The object that will be stored; absent for deletes. Mutating plugins change it in place. */
  readonly object: KubeObject | undefined;
  /** The stored object, frozen; absent for creates. */
  readonly old: KubeObject | undefined;
  readonly dryRun: boolean;
}

/** One step of admission; both parts refuse by throwing a StatusError. */
export interface AdmissionPlugin {
  readonly name: string;
  mutate?(request: AdmissionRequest): void | Promise<void>;
  validate?(request: AdmissionRequest): void | Promise<void>;
}

/** Plugins in order: first all that mutate, then, after validation by the kind's own rules, all that validate. */
export class AdmissionChain {
  readonly #mutating: readonly AdmissionPlugin[];
  readonly #validating: readonly AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#mutating = plugins.filter((plugin) => plugin.mutate !== undefined);
    this.#validating = plugins.filter((plugin) => plugin.validate !== undefined);
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#mutating) await plugin.mutate?.(request);
  }

  async validate(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#validating) await plugin.validate?.(request);
  }
}

/** The refusal of a plugin, in upstream's form. */
export function refused(request: AdmissionRequest, why: string): StatusError {
  const { definition } = request.target.kind;
  const name = request.target.name || (request.object?.metadata?.name ?? "");
  return forbidden({ group: definition.group, resource: definition.resource }, name, why);
}

/** True for a write of the object itself in this group and resource. */
export function isFor(request: AdmissionRequest, group: string, resource: string): boolean {
  const { definition } = request.target.kind;
  return request.target.subresource === "" && definition.resource === resource && definition.group === group;
}
