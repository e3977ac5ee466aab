import { type KubeObject, structAt, textAt } from "../core/kube-object.ts";
import { type AdmissionPlugin, type AdmissionRequest, isFor, refused } from "./admission.ts";
import type { CachedReads } from "./cached-reads.ts";

const GROUP = "scheduling.k8s.io";
const DEFAULT_POLICY = "PreemptLowerPriority";

/** Source of behaviour: kubernetes/kubernetes:plugin/pkg/admission/priority. */
export class Priority implements AdmissionPlugin {
  readonly name = "Priority";
  readonly #reads: CachedReads;

  constructor(reads: CachedReads) {
    this.#reads = reads;
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    const pod = request.object;
    if (request.operation !== "CREATE" || pod === undefined || !isFor(request, "", "pods")) return;
    const spec = structAt(pod, "spec");
    const name = textAt(pod, "spec", "priorityClassName");
    const chosen = name === "" ? this.#globalDefault() : await this.#reads.find("priorityclasses", "", name, GROUP);
    if (name !== "" && chosen === undefined) throw refused(request, `no PriorityClass with name ${name} was found`);
    if (name === "" && chosen !== undefined) spec["priorityClassName"] = chosen.metadata?.name;
    const priority = Number(chosen?.["value"] ?? 0);
    if (spec["priority"] !== undefined && Number(spec["priority"]) !== priority) {
      throw refused(
        request,
        "the integer value of priority must not be provided in pod spec; priority admission controller computed " +
          `${priority} from the given PriorityClass name`,
      );
    }
    spec["priority"] = priority;
    const policy = textAt(chosen, "preemptionPolicy") || DEFAULT_POLICY;
    const asked = textAt(pod, "spec", "preemptionPolicy");
    if (asked !== "" && asked !== policy) {
      throw refused(
        request,
        "the string value of PreemptionPolicy must not be provided in pod spec; priority admission " +
          `controller computed ${policy} from the given PriorityClass name`,
      );
    }
    spec["preemptionPolicy"] = policy;
  }

  validate(request: AdmissionRequest): void {
    const object = request.object;
    if (request.operation === "DELETE" || object === undefined || !isFor(request, GROUP, "priorityclasses")) return;
    if (object["globalDefault"] !== true) return;
    const other = this.#globalDefault();
    if (other === undefined || other.metadata?.name === object.metadata?.name) return;
    throw refused(
      request,
      `PriorityClass ${other.metadata?.name} is already marked as default. Only one default can exist`,
    );
  }

  #globalDefault(): KubeObject | undefined {
    let lowest: KubeObject | undefined;
    for (const candidate of this.#reads.all("priorityclasses", GROUP)) {
      if (candidate["globalDefault"] !== true) continue;
      if (lowest === undefined || Number(candidate["value"] ?? 0) < Number(lowest["value"] ?? 0)) lowest = candidate;
    }
    return lowest;
  }
}
