import { Controller } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { ConfigMap } from "../../../lib/gen/k8s/core/v1.ts";
import { configMaps, namespaces } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerFactory } from "../manager-context.ts";
import { isActive } from "../namespace/is-active.ts";

const NAME = "kube-root-ca.crt";
const FILE = "ca.crt";
const ANNOTATIONS = {
  "kubernetes.io/description":
    "The authorities to trust when a pod in this cluster speaks to the API server at its internal address. Other uses are not guaranteed.",
};

/**
 * Each active namespace has the cluster's authorities in a ConfigMap, from which pods' token volumes take them; changed or
 * deleted, it is restored. Keys are namespaces.
 */
export const rootCaController: ControllerFactory = (context) => {
  const { api, informers, rootCaPem } = context;
  const allNamespaces = informers.of(namespaces);
  const published = informers.selected(configMaps, { fieldSelector: `metadata.name=${NAME}` });
  const synced = allSynced([allNamespaces, published]);
  const options = { name: "root-ca-certificate-publisher", workers: 4, whenSynced: synced };

  const restore = async (found: ConfigMap): Promise<void> => {
    const isRight = found.data?.[FILE] === rootCaPem && Object.keys(found.data).length === 1;
    if (isRight && found.binaryData === undefined) return;
    const { binaryData: _foreign, ...rest } = found;
    await api.update(configMaps, { ...rest, data: { [FILE]: rootCaPem } });
  };

  const controller = new Controller(context, options, async (namespace) => {
    if (!isActive(allNamespaces.store.get(namespace))) return undefined;
    const found = published.store.get(`${namespace}/${NAME}`);
    if (found !== undefined) {
      await restore(found);
      return undefined;
    }
    try {
      await api.create(configMaps, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: NAME, namespace, annotations: ANNOTATIONS },
        data: { [FILE]: rootCaPem },
      });
    } catch (thrown) {
      if (asStatusError(thrown).reason !== "AlreadyExists") throw thrown;
    }
    return undefined;
  });

  const enqueue = (configMap: ConfigMap) => controller.queue.add(configMap.metadata?.namespace ?? "");
  allNamespaces.addHandler({
    added: (namespace) => controller.queue.add(namespace.metadata?.name ?? ""),
    updated: (namespace) => controller.queue.add(namespace.metadata?.name ?? ""),
  });
  published.addHandler({ added: enqueue, updated: enqueue, deleted: enqueue });
  return controller;
};
