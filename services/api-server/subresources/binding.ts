import { type Clock, formatTime } from "../../../lib/core/clock.ts";
import { badRequest, conflict, invalid, notFound } from "../../../lib/core/status-error.ts";
import { type Answer, statusView } from "../core/answer.ts";
import type { Committer, Decision } from "../core/committer.ts";
import type { KindTable } from "../core/kind-table.ts";
import { copyOf, type KubeObject, listAt, metaOf, structAt, textAt } from "../core/kube-object.ts";
import type { Machinery } from "../core/machinery.ts";
import type { Body, Call, Target, WriteOptions } from "../core/request.ts";
import { commitOptions, type SubresourceHandler } from "../core/resource-core.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import type { ServedKind } from "../core/stored-kind.ts";
import { hasSchedulingGates } from "../strategy/pod.ts";

const PODS = { group: "", resource: "pods" };

/** `pods/NAME/binding` and `bindings`: a pod gets its node, once (invariant 40). */
export class PodBinding implements SubresourceHandler {
  readonly #machinery: Machinery;
  readonly #committer: Committer;
  readonly #statusCodec: StatusCodec;
  readonly #clock: Clock;
  readonly #bindings: ServedKind;
  readonly #pods: ServedKind;

  constructor(components: {
    machinery: Machinery;
    committer: Committer;
    statusCodec: StatusCodec;
    clock: Clock;
    kinds: KindTable;
  }) {
    this.#machinery = components.machinery;
    this.#committer = components.committer;
    this.#statusCodec = components.statusCodec;
    this.#clock = components.clock;
    this.#bindings = components.kinds.get("", "v1", "bindings");
    this.#pods = components.kinds.get("", "v1", "pods");
  }

  async create(target: Target, body: Body, options: WriteOptions, call: Call): Promise<Answer> {
    const binding = this.#machinery.decode(this.#bindings, body).object;
    const bodyName = binding.metadata?.name ?? "";
    const name = target.name || bodyName;
    if (name === "" || (bodyName !== "" && bodyName !== name)) {
      throw badRequest("name in URL does not match name in Binding object");
    }
    const node = textAt(binding, "target", "name");
    metaOf(binding).name = name;
    metaOf(binding).namespace = target.namespace;
    const causes = this.#machinery.validateCreate(this.#bindings, binding);
    if (causes.length > 0) throw invalid({ group: "", kind: "Binding" }, name, causes);
    const plan = {
      kind: this.#pods,
      namespace: target.namespace,
      name,
      decide: async (current: { object(): KubeObject } | undefined): Promise<Decision> => {
        if (current === undefined) throw notFound(PODS, name);
        return { type: "put", object: this.#bound(current.object(), binding, node) };
      },
    };
    await this.#committer.commit([plan], commitOptions(options, call));
    const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 } as const;
    return { code: 201, view: statusView(status, target.kind, this.#statusCodec) };
  }

  #bound(pod: KubeObject, binding: KubeObject, node: string): KubeObject {
    const name = pod.metadata?.name ?? "";
    if (binding.metadata?.uid !== undefined && binding.metadata.uid !== pod.metadata?.uid) {
      const why = `Precondition failed: UID in precondition: ${binding.metadata.uid}, UID in object meta: ${pod.metadata?.uid}`;
      throw conflict(PODS, name, why);
    }
    if (pod.metadata?.deletionTimestamp !== undefined) {
      throw conflict(PODS, name, `pod ${name} is being deleted, cannot be assigned to a host`);
    }
    const assigned = textAt(pod, "spec", "nodeName");
    if (assigned !== "")
      throw conflict(PODS, name, `pod ${name} is already assigned to node ${JSON.stringify(assigned)}`);
    if (hasSchedulingGates(pod)) throw conflict(PODS, name, `pod ${name} has non-empty .spec.schedulingGates`);
    const object = copyOf(pod);
    structAt(object, "spec")["nodeName"] = node;
    const meta = metaOf(object);
    if (binding.metadata?.annotations !== undefined) {
      meta.annotations = Object.assign(meta.annotations ?? {}, binding.metadata.annotations);
    }
    const scheduled = { type: "PodScheduled", status: "True", lastTransitionTime: formatTime(this.#clock.nowMs()) };
    const others = listAt(object, "status", "conditions").filter((condition) => condition["type"] !== "PodScheduled");
    structAt(object, "status")["conditions"] = [...others, scheduled];
    return object;
  }
}
