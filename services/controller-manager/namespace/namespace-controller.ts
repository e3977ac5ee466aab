import { Controller, type Later } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { Namespace } from "../../../lib/gen/k8s/core/v1.ts";
import { namespaces } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerFactory } from "../manager-context.ts";
import { conditionsAfter, sameConditions } from "./deletion-conditions.ts";
import { NamespaceContent } from "./namespace-content.ts";

const FINALIZER = "kubernetes";
/** Content goes by itself once deleted; this is how soon it is looked at again. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Empties a namespace that is being deleted, then takes its finalizer off, so that it goes. What remains, and why, stands in
 * the conditions of its status. Keys are namespaces.
 */
export const namespaceController: ControllerFactory = (context) => {
  const { api, informers, catalog, clock } = context;
  const all = informers.of(namespaces);
  const content = new NamespaceContent({ api, catalog });
  const options = { name: "namespace", workers: 10, whenSynced: allSynced([all]) };

  const controller = new Controller(context, options, async (name, signal): Promise<Later | undefined> => {
    const namespace = all.store.get(name);
    if (namespace?.metadata?.deletionTimestamp === undefined) return undefined;
    if (!namespace.spec?.finalizers?.includes(FINALIZER)) return undefined;
    const outcome = await content.remove(name, signal);
    const empty = outcome.remaining.size === 0 && outcome.errors.length === 0;
    if (!empty) {
      const current = await api.get(namespaces, { name });
      const conditions = conditionsAfter(outcome, current.status?.conditions ?? [], clock.nowMs());
      if (!sameConditions(conditions, current.status?.conditions ?? [])) {
        const status = { ...current.status, phase: "Terminating", conditions };
        await api.update(namespaces, { ...current, status }, { subresource: "status" });
      }
      if (outcome.errors.length > 0) throw outcome.errors[0];
      return { afterMs: LOOK_AGAIN_MS };
    }
    await finalize(name);
    return undefined;
  });

  const finalize = async (name: string): Promise<void> => {
    try {
      const current = await api.get(namespaces, { name });
      const finalizers = (current.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
      const spec = { ...current.spec, finalizers };
      if (finalizers.length === 0) delete (spec as { finalizers?: string[] }).finalizers;
      await api.update(namespaces, { ...current, spec }, { subresource: "finalize" });
    } catch (thrown) {
      if (asStatusError(thrown).code !== 404) throw thrown;
    }
  };

  const enqueue = (namespace: Namespace) => {
    if (namespace.metadata?.deletionTimestamp !== undefined) controller.queue.add(namespace.metadata.name ?? "");
  };
  all.addHandler({ added: enqueue, updated: enqueue });
  return controller;
};
