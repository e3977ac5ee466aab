/** Placement alone: how many pods a second find their node among many, against the bare loop over typed arrays. */
import { SeededRandom } from "../lib/core/seeded-random.ts";
import type { Node, Pod } from "../lib/gen/k8s/core/v1.ts";
import { NodeTable } from "../services/scheduler/nodes/node-table.ts";
import { type PodInfo, podInfoOf } from "../services/scheduler/nodes/pod-info.ts";
import { Placer } from "../services/scheduler/placement.ts";
import { FILTERS } from "../services/scheduler/plugins/filters.ts";
import { SCORES } from "../services/scheduler/plugins/scores.ts";

const NODES = 1_000;

export async function run(print: (line: string) => void, { quick }: { quick: boolean }): Promise<void> {
  const pods = Array.from({ length: quick ? 500 : 5_000 }, (_, index) => podInfoOf(podOf(index)));
  const ours = perSecond(pods, place);
  const bare = perSecond(pods, scan);
  const ratio = (bare / ours).toFixed(2);
  print(
    `scheduler/place-1000-nodes: ratio ${ratio} (ours ${ours.toFixed(0)} pods/s, bare scan ${bare.toFixed(0)} pods/s)`,
  );
}

function perSecond(pods: readonly PodInfo[], work: (pods: readonly PodInfo[]) => void): number {
  work(pods);
  const startMs = performance.now();
  work(pods);
  return (pods.length / (performance.now() - startMs)) * 1_000;
}

function nodeOf(index: number): Node {
  return {
    metadata: { name: `n${index}`, labels: { "topology.kubernetes.io/zone": `z${index % 3}` } },
    status: { allocatable: { cpu: "32", memory: "128Gi", pods: "110" } },
  };
}

function podOf(index: number): Pod {
  const ownerReferences = [{ kind: "ReplicaSet", name: "rs", uid: `owner-${index % 50}`, controller: true }];
  return {
    metadata: { name: `p${index}`, namespace: "x", uid: `u${index}`, ownerReferences },
    spec: { containers: [{ name: "c", resources: { requests: { cpu: "250m", memory: "512Mi" } } }] },
  };
}

function place(pods: readonly PodInfo[]): void {
  const table = new NodeTable();
  for (let index = 0; index < NODES; index++) table.setNode(nodeOf(index));
  const placer = new Placer({ table, random: new SeededRandom(1) }, { filters: FILTERS, scores: SCORES });
  for (const pod of pods) {
    const { node } = placer.place(pod);
    if (node === undefined) throw new Error("a pod found no node");
    table.assume(pod, node);
  }
}

/** The least that any scheduler of this kind does: fit and one score over all nodes. */
function scan(pods: readonly PodInfo[]): void {
  const cpu = new Float64Array(NODES).fill(32_000);
  const memory = new Float64Array(NODES).fill(128 * 2 ** 30);
  for (const pod of pods) {
    const asked = new Map(pod.requests);
    const cpuMilli = asked.get("cpu") ?? 0;
    const memoryBytes = asked.get("memory") ?? 0;
    let best = -1;
    let most = -1;
    for (let row = 0; row < NODES; row++) {
      if (cpu[row]! < cpuMilli || memory[row]! < memoryBytes) continue;
      const score = cpu[row]! / 32_000 + memory[row]! / (128 * 2 ** 30);
      if (score > most) {
        most = score;
        best = row;
      }
    }
    cpu[best]! -= cpuMilli;
    memory[best]! -= memoryBytes;
  }
}
