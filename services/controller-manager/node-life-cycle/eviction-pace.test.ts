import { expect, test } from "vitest";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import type { Node } from "../../../lib/gen/k8s/core/v1.ts";
import { EvictionPace } from "./eviction-pace.ts";
import { NodeHealth } from "./node-health.ts";

/** `count` nodes of a zone, the first `sick` of them not ready. */
function zone(name: string, count: number, sick: number): Node[] {
  return Array.from({ length: count }, (_, index) => ({
    metadata: { name: `${name}-${index}`, labels: { "topology.kubernetes.io/zone": name } },
    status: { conditions: [{ type: "Ready", status: index < sick ? "Unknown" : "True", lastHeartbeatTime: "t" }] },
  }));
}

async function emptiedIn(all: readonly Node[], seconds: number): Promise<number> {
  const clock = new VirtualClock();
  const health = new NodeHealth(clock);
  const pace = new EvictionPace({ clock, health });
  const left = all.filter((node) => node.status?.conditions?.[0]?.status !== "True");
  let emptied = 0;
  for (let second = 0; second < seconds; second++) {
    for (const node of all) health.observe(node, String(second));
    const next = left[0];
    if (next !== undefined && pace.allows(next, all)) {
      left.shift();
      emptied++;
    }
    await clock.advance(1_000);
  }
  return emptied;
}

test.each<[string, Node[], number]>([
  ["few of many: one node in 10 s", zone("a", 20, 5), 5],
  ["two of three is no disruption of a zone: too few to judge", zone("a", 3, 2), 2],
  ["60 % of a zone in a small cluster: nobody", zone("a", 10, 6), 0],
  ["60 % of a zone in a large cluster: one node in 100 s", [...zone("a", 40, 24), ...zone("b", 40, 0)], 1],
  ["a whole zone, another well: as usual", [...zone("a", 5, 5), ...zone("b", 5, 0)], 5],
  ["everything: nobody", [...zone("a", 5, 5), ...zone("b", 5, 5)], 0],
])("F12: %s", async (_what, all, emptied) => {
  expect(await emptiedIn(all, 60)).toBe(emptied);
});
