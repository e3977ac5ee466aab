import { Controller } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import { namespaces, serviceAccounts } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerFactory } from "../manager-context.ts";
import { isActive } from "../namespace/is-active.ts";

const NAME = "default";

/** Each active namespace has a ServiceAccount `default`; pods cannot be created before. Keys are namespaces. */
export const serviceAccountController: ControllerFactory = (context) => {
  const { api, informers } = context;
  const allNamespaces = informers.of(namespaces);
  const accounts = informers.of(serviceAccounts);
  const synced = allSynced([allNamespaces, accounts]);
  const controller = new Controller(
    context,
    { name: "serviceaccount", workers: 4, whenSynced: synced },
    async (name) => {
      if (!isActive(allNamespaces.store.get(name)) || accounts.store.get(`${name}/${NAME}`) !== undefined)
        return undefined;
      try {
        await api.create(serviceAccounts, {
          apiVersion: "v1",
          kind: "ServiceAccount",
          metadata: { name: NAME, namespace: name },
        });
      } catch (thrown) {
        if (asStatusError(thrown).reason !== "AlreadyExists") throw thrown;
      }
      return undefined;
    },
  );
  allNamespaces.addHandler({
    added: (namespace) => controller.queue.add(namespace.metadata?.name ?? ""),
    updated: (namespace) => controller.queue.add(namespace.metadata?.name ?? ""),
  });
  accounts.addHandler({ deleted: (account) => controller.queue.add(account.metadata?.namespace ?? "") });
  return controller;
};
