import { Controller } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { configMaps, namespaces } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerFactory } from "../manager-context.ts";

const NAMESPACE = "kube-public";
const NAME = "cluster-info";
const MEMBER = "kubeconfig";
/** A name that each api-server's certificate has; who joins knows an address already. */
const SERVER = "https://kubernetes";

/**
 * Machines that join learn the cluster's authorities from the ConfigMap kube-public/cluster-info, which anybody may read and
 * which they check by a hash that they were given. Its only member is a kubeconfig without a user, as upstream's.
 */
export const clusterInfoController: ControllerFactory = (context) => {
  const { api, informers, rootCaPem } = context;
  const allNamespaces = informers.of(namespaces);
  const published = informers.selected(configMaps, { namespace: NAMESPACE, fieldSelector: `metadata.name=${NAME}` });
  const authority = Buffer.from(rootCaPem).toString("base64");
  const kubeconfig = JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "", cluster: { server: SERVER, "certificate-authority-data": authority } }],
  });
  const options = { name: "cluster-info-publisher", whenSynced: allSynced([allNamespaces, published]) };
  const controller = new Controller(context, options, async () => {
    if (allNamespaces.store.get(NAMESPACE) === undefined) return undefined;
    const found = published.store.get(`${NAMESPACE}/${NAME}`);
    if (found === undefined) {
      const metadata = { name: NAME, namespace: NAMESPACE };
      await api.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { [MEMBER]: kubeconfig } });
    } else if (found.data?.[MEMBER] !== kubeconfig) {
      await api.update(configMaps, { ...found, data: { ...found.data, [MEMBER]: kubeconfig } });
    }
    return undefined;
  });
  const enqueue = () => controller.queue.add(NAME);
  allNamespaces.addHandler({ added: (namespace) => namespace.metadata?.name === NAMESPACE && enqueue() });
  published.addHandler({ added: enqueue, updated: enqueue, deleted: enqueue });
  return controller;
};
