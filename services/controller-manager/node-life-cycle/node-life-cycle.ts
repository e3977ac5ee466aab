import { Controller, type Later } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { formatTime } from "../../../lib/core/clock.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { Node, NodeCondition, Pod } from "../../../lib/gen/k8s/core/v1.ts";
import { leases, nodes, pods } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerFactory, ManagerContext } from "../manager-context.ts";
import { EvictionPace } from "./eviction-pace.ts";
import { NodeHealth, readiness } from "./node-health.ts";
import { noExecuteKey, sameTaints, wantedTaints } from "./node-taints.ts";
import { BY_NODE, byNode } from "./pods-by-node.ts";

const LEASE_NAMESPACE = "kube-node-lease";
/** How often a node is looked at though nothing changed: silence is no event. */
const MONITOR_MS = 5_000;
const CONDITIONS = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/**
 * Declares silent nodes lost and taints nodes by their conditions. Ready is what the node says, until it has been silent
 * for the grace period: then Unknown. Keys are nodes.
 */
export const nodeLifeCycle: ControllerFactory = (context) => {
  const { clock, informers } = context;
  const recorder = context.recorder("node-controller");
  const allNodes = informers.of(nodes);
  const allPods = informers.of(pods);
  const nodeLeases = informers.selected(leases, { namespace: LEASE_NAMESPACE });
  allPods.store.addIndex(BY_NODE, byNode);
  const health = new NodeHealth(clock);
  const pace = new EvictionPace({ clock, health });
  const options = { name: "node-lifecycle", workers: 8, whenSynced: allSynced([allNodes, allPods, nodeLeases]) };

  const controller = new Controller(context, options, async (name): Promise<Later | undefined> => {
    let node = allNodes.store.get(name);
    if (node === undefined) {
      health.forget(name);
      return undefined;
    }
    health.observe(node, nodeLeases.store.get(`${LEASE_NAMESPACE}/${name}`)?.spec?.renewTime);
    if (health.isLost(name) && (readiness(node) !== "Unknown" || !hasReady(node)))
      node = await declareLost(context, node);
    const podsHere = allPods.store.byIndex(BY_NODE, name);
    const nowMs = clock.nowMs();
    const leaves = noExecuteKey(node);
    const has = node.spec?.taints?.some((taint) => taint.effect === "NoExecute" && taint.key === leaves) ?? false;
    const mayEvict =
      leaves !== undefined && !has && (podsHere.length === 0 || pace.allows(node, allNodes.store.list()));
    const taints = wantedTaints(node, { mayEvict, nowMs });
    if (!sameTaints(taints, node.spec?.taints ?? [])) await writeTaints(context, node, taints);
    if (readiness(node) !== "True") await markPodsNotReady(context, podsHere);
    return { afterMs: MONITOR_MS };
  });

  const enqueue = (node: Node) => controller.queue.add(node.metadata?.name ?? "");
  allNodes.addHandler({
    added: (node) => {
      const name = node.metadata?.name ?? "";
      if (isNew(node, clock.nowMs()))
        recorder.record(node, "Normal", "RegisteredNode", `Node ${name} event: Registered Node ${name} in Controller`);
      enqueue(node);
    },
    updated: (node, old) => {
      const name = node.metadata?.name ?? "";
      if (readiness(old) === "True" && readiness(node) !== "True")
        recorder.record(node, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
      enqueue(node);
    },
    deleted: (node) => {
      const name = node.metadata?.name ?? "";
      recorder.record(node, "Normal", "RemovingNode", `Node ${name} event: Removing Node ${name} from Controller`);
      enqueue(node);
    },
  });
  nodeLeases.addHandler({
    added: (lease) => controller.queue.add(lease.metadata?.name ?? ""),
    updated: (lease) => observeLease(lease.metadata?.name ?? "", lease.spec?.renewTime),
  });
  const observeLease = (name: string, renewTime: string | undefined) => {
    const node = allNodes.store.get(name);
    if (node !== undefined) health.observe(node, renewTime);
  };
  return controller;
};

/** Nodes that stood before a restart of ours have not registered just now. */
function isNew(node: Node, nowMs: number): boolean {
  return formatTime(nowMs - 60_000) <= (node.metadata?.creationTimestamp ?? "");
}

function hasReady(node: Node): boolean {
  return node.status?.conditions?.some((condition) => condition.type === "Ready") ?? false;
}

/** Reasons and messages are upstream's, since people and tools know them. */
async function declareLost({ api, clock, log }: ManagerContext, node: Node): Promise<Node> {
  const now = formatTime(clock.nowMs());
  const before = node.status?.conditions ?? [];
  const lost = CONDITIONS.map((type): NodeCondition => {
    const old = before.find((condition) => condition.type === type);
    if (old === undefined) {
      const message = "Kubelet never posted node status.";
      const lastTransitionTime = now;
      return { type, status: "Unknown", reason: "NodeStatusNeverUpdated", message, lastTransitionTime };
    }
    const message = "Kubelet stopped posting node status.";
    const lastTransitionTime = old.status === "Unknown" ? (old.lastTransitionTime ?? now) : now;
    return { ...old, status: "Unknown", reason: "NodeStatusUnknown", message, lastTransitionTime };
  });
  const others = before.filter((condition) => !CONDITIONS.includes(condition.type ?? ""));
  log.warn("a node has been silent for too long", { node: node.metadata?.name });
  const status = { ...node.status, conditions: [...others, ...lost] };
  return api.update(nodes, { ...node, status }, { subresource: "status" });
}

async function writeTaints({ api }: ManagerContext, node: Node, taints: readonly object[]): Promise<void> {
  const { name = "", resourceVersion } = node.metadata ?? {};
  const body = { metadata: { resourceVersion }, spec: { taints: taints.length === 0 ? null : taints } };
  await api.patch(nodes, { name }, { type: "merge", body });
}

/** Services stop sending to pods whose node cannot vouch for them. */
async function markPodsNotReady({ api, clock }: ManagerContext, podsHere: readonly Pod[]): Promise<void> {
  for (const pod of podsHere) {
    const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready");
    if (ready?.status !== "True") continue;
    const { namespace = "", name = "", uid } = pod.metadata ?? {};
    const condition = { type: "Ready", status: "False", lastTransitionTime: formatTime(clock.nowMs()) };
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    try {
      await api.patch(pods, { namespace, name }, { type: "strategic", body }, { subresource: "status" });
    } catch (thrown) {
      if (asStatusError(thrown).code !== 404) throw thrown;
    }
  }
}
