import type { ApiClient } from "../../../lib/client/api-client.ts";
import { type ApiObject, controllerOf } from "../../../lib/client/api-object.ts";
import type { Informer } from "../../../lib/controller/informer.ts";
import type { PendingWrites } from "../../../lib/controller/pending-writes.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { OwnerReference } from "../../../lib/gen/k8s/meta/v1.ts";
import type { ResourceRef } from "../../../lib/resource/kind.ts";
import type { LabelSelector } from "../../../lib/resource/selector/label-selector.ts";

/** Who claims, of what kind. */
export interface Claimant {
  readonly key: string;
  readonly ref: ResourceRef<ApiObject>;
  readonly object: ApiObject;
  readonly selector: LabelSelector;
}

export function ownerReference(ref: ResourceRef, owner: ApiObject): OwnerReference {
  const { name = "", uid = "" } = owner.metadata ?? {};
  const apiVersion = ref.group === "" ? ref.version : `${ref.group}/${ref.version}`;
  return { apiVersion, kind: ref.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/**
 * The children that belong to an owner: those with its reference, without those that its selector no longer fits, which it
 * releases, with orphans that it fits, which it adopts. Only a live read that still shows the owner, undeleted and with
 * its uid, lets it adopt (invariant 31).
 */
export async function claim<T extends ApiObject>(
  components: { api: ApiClient; children: Informer<T>; pending: PendingWrites },
  claimant: Claimant,
  candidates: readonly T[],
): Promise<T[]> {
  const { selector, object } = claimant;
  const dying = object.metadata?.deletionTimestamp !== undefined;
  const mayAdopt = liveCheck(components.api, claimant);
  const mine: T[] = [];
  for (const child of candidates) {
    const owner = controllerOf(child);
    const fits = selector.matches(child.metadata?.labels);
    if (owner !== undefined) {
      if (owner.uid !== object.metadata?.uid) continue;
      if (fits || child.metadata?.deletionTimestamp !== undefined) mine.push(child);
      else if (!dying) await release(components, claimant, child);
    } else if (fits && !dying && child.metadata?.deletionTimestamp === undefined && (await mayAdopt())) {
      const adopted = await adopt(components, claimant, child);
      if (adopted !== undefined) mine.push(adopted);
    }
  }
  return mine;
}

/** Asks the API once per claim, when first needed. */
function liveCheck(api: ApiClient, { ref, object }: Claimant): () => Promise<boolean> {
  let answer: Promise<boolean> | undefined;
  return () => {
    const { namespace = "", name = "", uid } = object.metadata ?? {};
    answer ??= api.get(ref, { namespace, name }).then(
      (live) => live.metadata?.uid === uid && live.metadata?.deletionTimestamp === undefined,
      (thrown: unknown) => {
        if (asStatusError(thrown).code === 404) return false;
        throw thrown;
      },
    );
    return answer;
  };
}

type Parts<T extends ApiObject> = { api: ApiClient; children: Informer<T>; pending: PendingWrites };

async function adopt<T extends ApiObject>(parts: Parts<T>, claimant: Claimant, child: T): Promise<T | undefined> {
  const reference = ownerReference(claimant.ref, claimant.object);
  return change(parts, claimant, child, [reference]);
}

async function release<T extends ApiObject>(parts: Parts<T>, claimant: Claimant, child: T): Promise<void> {
  await change(parts, claimant, child, [{ $patch: "delete", uid: claimant.object.metadata?.uid }]);
}

async function change<T extends ApiObject>(
  { api, children, pending }: Parts<T>,
  claimant: Claimant,
  child: T,
  ownerReferences: readonly object[],
): Promise<T | undefined> {
  const { namespace = "", name = "", uid } = child.metadata ?? {};
  const body = { metadata: { uid, ownerReferences } };
  try {
    const changed = await api.patch(children.ref, { namespace, name }, { type: "strategic", body });
    pending.wrote(claimant.key, children, changed);
    return changed;
  } catch (thrown) {
    const { code } = asStatusError(thrown);
    if (code === 404 || code === 422) return undefined;
    throw thrown;
  }
}
