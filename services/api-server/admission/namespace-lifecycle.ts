import { forbidden, notFound, StatusError } from "../../../lib/core/status-error.ts";
import { textAt } from "../core/kube-object.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import type { CachedReads } from "./cached-reads.ts";

const IMMORTAL = new Set(["default", "kube-system", "kube-public"]);

/** Source of behaviour: kubernetes/apiserver:pkg/admission/plugin/namespace/lifecycle. */
export class NamespaceLifecycle implements AdmissionPlugin {
  readonly name = "NamespaceLifecycle";
  readonly #reads: CachedReads;

  constructor(reads: CachedReads) {
    this.#reads = reads;
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    const { definition } = request.target.kind;
    if (definition.group === "" && definition.resource === "namespaces") {
      if (request.operation !== "DELETE" || !IMMORTAL.has(request.target.name)) return;
      const named = { group: "", resource: "namespaces" };
      throw forbidden(named, request.target.name, "this namespace may not be deleted");
    }
    if (!definition.namespaced || request.operation !== "CREATE" || request.target.subresource !== "") return;
    const { namespace } = request.target;
    const found = await this.#reads.find("namespaces", "", namespace);
    if (found === undefined) throw notFound({ group: "", resource: "namespaces" }, namespace);
    if (textAt(found, "status", "phase") !== "Terminating" && found.metadata?.deletionTimestamp === undefined) return;
    throw terminating(request, namespace);
  }
}

function terminating(request: AdmissionRequest, namespace: string): StatusError {
  const { definition } = request.target.kind;
  const name = request.object?.metadata?.name ?? "";
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const refusal = forbidden({ group: definition.group, resource: definition.resource }, name, why);
  const cause = {
    reason: "NamespaceTerminating",
    message: `namespace ${namespace} is being terminated`,
    field: "metadata.namespace",
  };
  return new StatusError(refusal.code, refusal.reason, refusal.message, { ...refusal.details, causes: [cause] });
}
