import type { PodSource } from "../pods/pod-source.ts";

/** What a scraper learns of the agent; no names of objects in it. */
export function metricsText(source: PodSource): string {
  const phases = new Map<string, number>();
  for (const pod of source.list()) {
    const phase = pod.status?.phase ?? "Pending";
    phases.set(phase, (phases.get(phase) ?? 0) + 1);
  }
  const lines = [...phases].map(([phase, count]) => `keelson_node_pods{phase="${phase}"} ${count}`);
  return ["# HELP keelson_node_pods Pods of this node by phase.", "# TYPE keelson_node_pods gauge", ...lines, ""].join(
    "\n",
  );
}
