import type { ApiClient } from "../../../lib/client/api-client.ts";
import type { EventRecorder } from "../../../lib/controller/event-recorder.ts";
import type { Informer } from "../../../lib/controller/informer.ts";
import type { PendingWrites } from "../../../lib/controller/pending-writes.ts";
import { asStatusError, type StatusError } from "../../../lib/core/status-error.ts";
import type { ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";
import type { Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { pods, replicaSets } from "../../../lib/gen/k8s/resources.ts";
import { ownerReference } from "../ownership/claim.ts";
import { slowStart } from "../ownership/slow-start.ts";

/** Why a ReplicaSet has not the pods that it asks for. */
export interface ScaleFailure {
  readonly reason: "FailedCreate" | "FailedDelete";
  readonly cause: Error;
}

/** Pods made or deleted in one step; source: kubernetes/pkg/controller/replicaset (BurstReplicas). */
const BURST = 500;

/** Makes and deletes pods of ReplicaSets, and remembers what it wrote until the cache shows it. */
export class PodScaler {
  private readonly api: ApiClient;
  private readonly pods: Informer<Pod>;
  private readonly pending: PendingWrites;
  private readonly recorder: EventRecorder;

  constructor(components: { api: ApiClient; pods: Informer<Pod>; pending: PendingWrites; recorder: EventRecorder }) {
    this.api = components.api;
    this.pods = components.pods;
    this.pending = components.pending;
    this.recorder = components.recorder;
  }

  async create(key: string, set: ReplicaSet, count: number): Promise<ScaleFailure | undefined> {
    const draft = podOf(set);
    let unknown = false;
    const { failure } = await slowStart(Math.min(count, BURST), async () => {
      try {
        const made = await this.api.create(pods, draft);
        this.pending.wrote(key, this.pods, made);
        this.recorder.record(set, "Normal", "SuccessfulCreate", `Created pod: ${made.metadata?.name}`);
      } catch (thrown) {
        unknown ||= isUnknown(thrown);
        throw thrown;
      }
    });
    if (failure === undefined) return undefined;
    if (unknown) await this.pending.unknown(key, this.pods, set.metadata?.namespace ?? "");
    const cause = asStatusError(failure);
    if (isEnding(cause)) return undefined;
    this.recorder.record(set, "Warning", "FailedCreate", `Error creating: ${cause.message}`);
    return { reason: "FailedCreate", cause };
  }

  async remove(key: string, set: ReplicaSet, victims: readonly Pod[]): Promise<ScaleFailure | undefined> {
    const results = await Promise.allSettled(victims.slice(0, BURST).map((pod) => this.removeOne(key, set, pod)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) return undefined;
    const cause = asStatusError(failed.reason);
    this.recorder.record(set, "Warning", "FailedDelete", `Error deleting: ${cause.message}`);
    return { reason: "FailedDelete", cause };
  }

  private async removeOne(key: string, set: ReplicaSet, pod: Pod): Promise<void> {
    const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
    try {
      await this.api.delete(pods, { namespace, name }, { uid });
      this.recorder.record(set, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
    } catch (thrown) {
      const { code } = asStatusError(thrown);
      if (code !== 404 && code !== 409) throw thrown;
    }
    this.pending.deleted(key, this.pods, pod);
  }
}

/** A refusal is certain; anything else may have happened. */
function isUnknown(thrown: unknown): boolean {
  const { code } = asStatusError(thrown);
  return code >= 500 || code === 408;
}

/** The namespace takes nothing new: the ReplicaSet is about to go too. */
function isEnding(cause: StatusError): boolean {
  return cause.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") ?? false;
}

function podOf(set: ReplicaSet): Pod {
  const { template } = set.spec ?? {};
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  const { name = "", namespace = "" } = set.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: `${name}-`,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [ownerReference(replicaSets, set)],
    },
    ...(template?.spec === undefined ? {} : { spec: template.spec }),
  };
}
