import fc from "fast-check";
import { expect, test } from "vitest";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import type { Node, Pod, PodSpec } from "../../lib/gen/k8s/core/v1.ts";
import { NodeTable } from "./nodes/node-table.ts";
import { type PodInfo, podInfoOf } from "./nodes/pod-info.ts";
import { Placer } from "./placement.ts";
import { FILTERS } from "./plugins/filters.ts";
import { SCORES } from "./plugins/scores.ts";

function world(seed = 1) {
  const table = new NodeTable();
  const placer = new Placer({ table, random: new SeededRandom(seed) }, { filters: FILTERS, scores: SCORES });
  return { table, placer };
}

const node = (name: string, allocatable: Record<string, string>, more: Partial<Node> = {}): Node => ({
  metadata: { name, labels: { "kubernetes.io/hostname": name, size: "3", ...more.metadata?.labels } },
  spec: more.spec ?? {},
  status: { allocatable: { pods: "10", ...allocatable } },
});

let serial = 0;
const pod = (requests: Record<string, string>, spec: PodSpec = {}): PodInfo => {
  const name = `p${serial++}`;
  const made: Pod = {
    metadata: { name, namespace: "x", uid: `uid-${name}` },
    spec: { containers: [{ name: "c", resources: { requests } }], ...spec },
  };
  return podInfoOf(made);
};

/** What the placer answers: the node, or the reasons. */
function ask(placer: Placer, info: PodInfo): string {
  const placement = placer.place(info);
  return placement.node ?? [...placement.failures.reasons.keys()].sort().join(", ");
}

test.each<[string, Partial<Node>, PodSpec, string]>([
  ["cordoned", { spec: { unschedulable: true } }, {}, "node(s) were unschedulable"],
  [
    "cordoned but tolerated",
    { spec: { unschedulable: true } },
    { tolerations: [{ key: "node.kubernetes.io/unschedulable", operator: "Exists" }] },
    "n",
  ],
  [
    "tainted",
    { spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] } },
    {},
    "node(s) had untolerated taint(s)",
  ],
  [
    "tainted, other value",
    { spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] } },
    { tolerations: [{ key: "k", value: "w" }] },
    "node(s) had untolerated taint(s)",
  ],
  [
    "tainted, tolerated",
    { spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] } },
    { tolerations: [{ key: "k", value: "v", effect: "NoSchedule" }] },
    "n",
  ],
  [
    "tainted, everything tolerated",
    { spec: { taints: [{ key: "k", effect: "NoExecute" }] } },
    { tolerations: [{ operator: "Exists" }] },
    "n",
  ],
  ["taint that only prefers", { spec: { taints: [{ key: "k", effect: "PreferNoSchedule" }] } }, {}, "n"],
  ["selector", {}, { nodeSelector: { size: "3" } }, "n"],
  ["selector that misses", {}, { nodeSelector: { size: "4" } }, "node(s) didn't match Pod's node affinity/selector"],
  [
    "a label named as a member of Object",
    {},
    { nodeSelector: { constructor: "x" } },
    "node(s) didn't match Pod's node affinity/selector",
  ],
  ["a port of the host", {}, { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }] }, "n"],
  [
    "too much memory",
    {},
    { containers: [{ name: "c", resources: { requests: { memory: "2Gi" } } }] },
    "Insufficient memory",
  ],
  [
    "a device that no node has",
    {},
    { containers: [{ name: "c", resources: { requests: { "example.com/gpu": "1" } } }] },
    "Insufficient example.com/gpu",
  ],
])("filters: %s", (_what, more, spec, answer) => {
  const { table, placer } = world();
  table.setNode(node("n", { cpu: "1", memory: "1Gi" }, more));
  expect(ask(placer, pod({}, spec))).toBe(answer);
});

test.each<[string, string[] | undefined, boolean]>([
  ["In", ["3", "4"], true],
  ["NotIn", ["3"], false],
  ["Exists", undefined, true],
  ["DoesNotExist", undefined, false],
  ["Gt", ["2"], true],
  ["Gt", ["3"], false],
  ["Lt", ["10"], true],
  ["Lt", ["x"], false],
  ["Unheard", ["3"], false],
])("required node affinity: size %s %j is %s", (operator, values, fits) => {
  const { table, placer } = world();
  table.setNode(node("n", { cpu: "1" }));
  const expression = { key: "size", operator, ...(values === undefined ? {} : { values }) };
  const nodeAffinity = {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [expression] }] },
  };
  expect(placer.place(pod({}, { affinity: { nodeAffinity } })).node).toBe(fits ? "n" : undefined);
});

test("host ports clash by address, protocol and number", () => {
  const { table, placer } = world();
  table.setNode(node("n", { cpu: "1" }));
  const withPort = (hostIP: string | undefined, protocol: string, hostPort: number) =>
    pod(
      {},
      {
        containers: [
          { name: "c", ports: [{ containerPort: 1, hostPort, protocol, ...(hostIP === undefined ? {} : { hostIP }) }] },
        ],
      },
    );
  table.addPod(withPort("10.0.0.1", "TCP", 80), "n");
  const refused = "node(s) didn't have free ports for the requested pod ports";
  expect(ask(placer, withPort(undefined, "TCP", 80))).toBe(refused);
  expect(ask(placer, withPort("10.0.0.1", "TCP", 80))).toBe(refused);
  expect(ask(placer, withPort("10.0.0.2", "TCP", 80))).toBe("n");
  expect(ask(placer, withPort(undefined, "UDP", 80))).toBe("n");
  expect(ask(placer, withPort(undefined, "TCP", 81))).toBe("n");
});

test("requests of a pod: sidecars count with all, init containers by their peak, overhead is added", () => {
  const cpu = (amount: string) => ({ resources: { requests: { cpu: amount } } });
  const info = pod(
    {},
    {
      containers: [
        { name: "a", ...cpu("300m") },
        { name: "b", ...cpu("200m") },
      ],
      initContainers: [
        { name: "first", ...cpu("900m") },
        { name: "sidecar", restartPolicy: "Always", ...cpu("100m") },
        { name: "second", ...cpu("1") },
      ],
      overhead: { cpu: "50m" },
    },
  );
  expect(new Map(info.requests).get("cpu")).toBe(1_150);
  const whole = pod({ cpu: "300m" }, { resources: { requests: { cpu: "2" } } });
  expect(new Map(whole.requests).get("cpu")).toBe(2_000);
});

test("preferences: affinity, taints, free room, each in turn", () => {
  const { table, placer } = world();
  table.setNode(node("plain", { cpu: "4", memory: "4Gi" }));
  table.setNode(
    node("avoided", { cpu: "4", memory: "4Gi" }, { spec: { taints: [{ key: "k", effect: "PreferNoSchedule" }] } }),
  );
  table.setNode(node("busy", { cpu: "4", memory: "4Gi" }));
  table.addPod(pod({ cpu: "3", memory: "3Gi" }), "busy");
  expect(placer.place(pod({ cpu: "100m", memory: "100Mi" })).node).toBe("plain");
  const preference = { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["busy"] }] };
  const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 50, preference }] };
  expect(placer.place(pod({ cpu: "100m" }, { affinity: { nodeAffinity } })).node).toBe("busy");
});

test("equal nodes are chosen at random, all of them", () => {
  const { table, placer } = world();
  for (const name of ["a", "b", "c"]) table.setNode(node(name, { cpu: "4", memory: "4Gi" }));
  const chosen = new Set(Array.from({ length: 50 }, () => placer.place(pod({})).node));
  expect([...chosen].sort()).toEqual(["a", "b", "c"]);
});

test("invariant 41: answers follow changes of nodes at once, also for pods of one signature", () => {
  const { table, placer } = world();
  table.setNode(node("n", { cpu: "1" }));
  expect(placer.place(pod({})).node).toBe("n");
  table.setNode(node("n", { cpu: "1" }, { spec: { unschedulable: true } }));
  expect(placer.place(pod({})).node).toBeUndefined();
  table.setNode(node("n", { cpu: "1" }));
  expect(placer.place(pod({})).node).toBe("n");
  table.removeNode("n");
  expect(placer.place(pod({})).node).toBeUndefined();
});

test("explain names every failed condition of every node", () => {
  const { table, placer } = world();
  table.setNode(
    node("bad", { cpu: "1" }, { spec: { unschedulable: true, taints: [{ key: "k", effect: "NoSchedule" }] } }),
  );
  table.setNode(node("good", { cpu: "8" }));
  const [bad, good] = placer.explain(pod({ cpu: "2" }));
  expect(bad?.failures.map(({ filter }) => filter)).toEqual([
    "NodeUnschedulable",
    "TaintToleration",
    "NodeResourcesFit",
  ]);
  expect(bad?.score).toBeUndefined();
  expect(good?.failures).toEqual([]);
  expect(good?.score).toBeGreaterThan(0);
});

test("invariant 40: no sequence of placing, failing, ending and changing nodes puts more on a node than it has", () => {
  const step = fc.record({
    kind: fc.constantFrom("place", "place", "place", "forget", "confirm", "remove", "shrink", "drop", "return"),
    cpuMilli: fc.integer({ min: 0, max: 1_500 }),
    index: fc.nat({ max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer(), (steps, seed) => {
      const { table, placer } = world(seed);
      const names = ["a", "b", "c"];
      const capacityMilli = new Map(names.map((name) => [name, 2_000]));
      for (const name of names) table.setNode(node(name, { cpu: "2", pods: "4" }));
      const on = new Map<PodInfo, { node: string; confirmed: boolean }>();
      const usedMilli = (name: string) =>
        [...on]
          .filter(([, at]) => at.node === name)
          .reduce((sum, [info]) => sum + (new Map(info.requests).get("cpu") ?? 0), 0);
      for (const { kind, cpuMilli, index } of steps) {
        const name = names[index % names.length] ?? "a";
        const [picked, at] = [...on][index % Math.max(1, on.size)] ?? [];
        if (kind === "place") {
          const info = pod({ cpu: `${cpuMilli}m` });
          const chosen = placer.place(info).node;
          if (chosen === undefined) continue;
          table.assume(info, chosen);
          on.set(info, { node: chosen, confirmed: false });
          expect(usedMilli(chosen)).toBeLessThanOrEqual(capacityMilli.get(chosen) ?? 0);
          expect([...on.values()].filter((other) => other.node === chosen).length).toBeLessThanOrEqual(4);
        } else if (kind === "forget" && picked !== undefined) {
          table.forget(picked.uid);
          if (at?.confirmed === false) on.delete(picked);
        } else if (kind === "confirm" && picked !== undefined && at !== undefined) {
          table.addPod(picked, at.node);
          on.set(picked, { ...at, confirmed: true });
        } else if (kind === "remove" && picked !== undefined) {
          table.removePod(picked.uid);
          on.delete(picked);
        } else if (kind === "shrink") {
          table.setNode(node(name, { cpu: `${cpuMilli}m`, pods: "4" }));
          capacityMilli.set(name, cpuMilli);
        } else if (kind === "drop") {
          table.removeNode(name);
          capacityMilli.set(name, 0);
        } else if (kind === "return") {
          table.setNode(node(name, { cpu: "2", pods: "4" }));
          capacityMilli.set(name, 2_000);
        }
      }
      for (const entry of table.nodes()) {
        expect(table.columns.cpu.requested[entry.row]).toBe(usedMilli(entry.name));
      }
    }),
    { numRuns: 300 },
  );
});
