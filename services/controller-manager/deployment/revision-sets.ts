import type { ApiClient } from "../../../lib/client/api-client.ts";
import type { EventRecorder } from "../../../lib/controller/event-recorder.ts";
import type { Informer } from "../../../lib/controller/informer.ts";
import type { PendingWrites } from "../../../lib/controller/pending-writes.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { Deployment, ReplicaSet } from "../../../lib/gen/k8s/apps/v1.ts";
import { deployments, replicaSets } from "../../../lib/gen/k8s/resources.ts";
import { ownerReference } from "../ownership/claim.ts";
import { annotationsFor, DESIRED, MAX, REVISION, revisionOf } from "./annotations.ts";
import { byAge, type Change, type Limits, newReplicas, sum, wanted } from "./rollout-plan.ts";
import { HASH_LABEL, sameTemplate, templateHash, withHash } from "./template-hash.ts";

export interface RevisionComponents {
  readonly api: ApiClient;
  readonly sets: Informer<ReplicaSet>;
  readonly pending: PendingWrites;
  readonly recorder: EventRecorder;
}

/** The ReplicaSets of Deployments: found, made, sized and cleared away, each write remembered until the cache shows it. */
export class RevisionSets {
  private readonly parts: RevisionComponents;

  constructor(components: RevisionComponents) {
    this.parts = components;
  }

  /** The set of the present template; the oldest, should there be several. */
  find(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
    return byAge(sets).find((set) => sameTemplate(set.spec?.template, deployment.spec?.template));
  }

  /** Gives the found set its revision and annotations. */
  async adjust(
    key: string,
    deployment: Deployment,
    fresh: ReplicaSet,
    old: readonly ReplicaSet[],
  ): Promise<ReplicaSet> {
    const revision = Math.max(0, ...old.map(revisionOf)) + 1;
    const annotations = annotationsFor(deployment, fresh, revision);
    const { minReadySeconds: _before, ...rest } = fresh.spec ?? {};
    const { minReadySeconds } = deployment.spec ?? {};
    const spec = { ...rest, ...(minReadySeconds === undefined ? {} : { minReadySeconds }) };
    const next = { ...fresh, metadata: { ...fresh.metadata, annotations }, spec };
    const isSame =
      sameMap(annotations, fresh.metadata?.annotations ?? {}) && fresh.spec?.minReadySeconds === minReadySeconds;
    const adjusted = isSame ? fresh : await this.parts.api.update(replicaSets, next);
    if (!isSame) this.parts.pending.wrote(key, this.parts.sets, adjusted);
    return adjusted;
  }

  /** Makes the set of the present template; undefined when its name is taken by another template. */
  async make(
    key: string,
    deployment: Deployment,
    old: readonly ReplicaSet[],
    limits: Limits,
  ): Promise<ReplicaSet | undefined> {
    const { api, pending, sets, recorder } = this.parts;
    const draft = this.draft(deployment, old, limits);
    try {
      const made = await api.create(replicaSets, draft);
      pending.wrote(key, sets, made);
      if (wanted(made) > 0)
        recorder.record(deployment, "Normal", "ScalingReplicaSet", scaledText(made, 0, wanted(made)));
      return made;
    } catch (thrown) {
      if (asStatusError(thrown).reason !== "AlreadyExists") throw thrown;
      const { namespace = "", name = "" } = draft.metadata ?? {};
      const there = await api.get(replicaSets, { namespace, name });
      const isOurs = there.metadata?.ownerReferences?.some((owner) => owner.uid === deployment.metadata?.uid) ?? false;
      if (!isOurs || !sameTemplate(there.spec?.template, deployment.spec?.template)) return undefined;
      pending.wrote(key, sets, there);
      return there;
    }
  }

  /** The Deployment with the revision of its present set. */
  async tellRevision(
    key: string,
    deployment: Deployment,
    all: Informer<Deployment>,
    fresh: ReplicaSet,
  ): Promise<Deployment> {
    const revision = String(revisionOf(fresh));
    if (deployment.metadata?.annotations?.[REVISION] === revision) return deployment;
    const annotations = { ...deployment.metadata?.annotations, [REVISION]: revision };
    const metadata = { ...deployment.metadata, annotations };
    const written = await this.parts.api.update(deployments, { ...deployment, metadata });
    this.parts.pending.wrote(key, all, written);
    return written;
  }

  async resize(key: string, deployment: Deployment, change: Change, limits: Limits): Promise<void> {
    const { api, pending, sets, recorder } = this.parts;
    const { set, replicas } = change;
    const annotations = { ...set.metadata?.annotations, ...sizeAnnotations(limits) };
    const next = { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas } };
    const written = await api.update(replicaSets, next);
    pending.wrote(key, sets, written);
    if (replicas !== wanted(set))
      recorder.record(deployment, "Normal", "ScalingReplicaSet", scaledText(set, wanted(set), replicas));
  }

  /** Notes the present size on sets that keep their number of pods, so that the next change is seen as one. */
  async noteSize(key: string, deployment: Deployment, all: readonly ReplicaSet[], limits: Limits): Promise<void> {
    for (const set of all.filter((candidate) => wanted(candidate) > 0)) {
      const want = sizeAnnotations(limits);
      const has = set.metadata?.annotations ?? {};
      if (has[DESIRED] !== want[DESIRED] || has[MAX] !== want[MAX])
        await this.resize(key, deployment, { set, replicas: wanted(set) }, limits);
    }
  }

  /** Deletes the oldest of those that have no pods, beyond the limit of the history. */
  async clearHistory(key: string, deployment: Deployment, old: readonly ReplicaSet[]): Promise<void> {
    const { api, pending, sets } = this.parts;
    const limit = deployment.spec?.revisionHistoryLimit ?? 10;
    const empty = old.filter(
      (set) => wanted(set) === 0 && (set.status?.replicas ?? 0) === 0 && set.metadata?.deletionTimestamp === undefined,
    );
    const surplus = [...empty]
      .sort((a, b) => revisionOf(a) - revisionOf(b))
      .slice(0, Math.max(0, empty.length - limit));
    for (const set of surplus) {
      const { namespace = "", name = "", uid = "" } = set.metadata ?? {};
      try {
        await api.delete(replicaSets, { namespace, name }, { uid });
      } catch (thrown) {
        if (asStatusError(thrown).code !== 404) throw thrown;
      }
      pending.deleted(key, sets, set);
    }
  }

  private draft(deployment: Deployment, old: readonly ReplicaSet[], limits: Limits): ReplicaSet {
    const { template = {}, selector, minReadySeconds, strategy } = deployment.spec ?? {};
    const { name = "", namespace = "" } = deployment.metadata ?? {};
    const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
    const isRolling = strategy?.type !== "Recreate";
    const revision = Math.max(0, ...old.map(revisionOf)) + 1;
    return {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: { ...template.metadata?.labels, [HASH_LABEL]: hash },
        annotations: { ...annotationsFor(deployment, undefined, revision), ...sizeAnnotations(limits) },
        ownerReferences: [ownerReference(deployments, deployment)],
      },
      spec: {
        replicas: newReplicas(limits, 0, sum(old, wanted), isRolling),
        selector: { ...selector, matchLabels: { ...selector?.matchLabels, [HASH_LABEL]: hash } },
        template: withHash(template, hash),
        ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      },
    };
  }
}

function sizeAnnotations(limits: Limits): Record<string, string> {
  return { [DESIRED]: String(limits.replicas), [MAX]: String(limits.replicas + limits.maxSurge) };
}

function scaledText(set: ReplicaSet, from: number, to: number): string {
  return `Scaled ${to > from ? "up" : "down"} replica set ${set.metadata?.name} from ${from} to ${to}`;
}

function sameMap(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
