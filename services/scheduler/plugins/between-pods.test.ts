import { expect, test } from "vitest";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import type { Affinity, PodAffinityTerm, PodSpec } from "../../../lib/gen/k8s/core/v1.ts";
import { NodeTable } from "../nodes/node-table.ts";
import { podInfoOf } from "../nodes/pod-info.ts";
import { Placer } from "../placement.ts";
import { FILTERS } from "./filters.ts";
import { SCORES } from "./scores.ts";

const ZONE = "topology.kubernetes.io/zone";
const HOST = "kubernetes.io/hostname";

/** Nodes a1, a2 in zone a; b1, b2 in zone b; `bare` without a zone. */
function world() {
  const table = new NodeTable();
  const placer = new Placer({ table, random: new SeededRandom(1) }, { filters: FILTERS, scores: SCORES });
  for (const name of ["a1", "a2", "b1", "b2", "bare"]) {
    const zone = name === "bare" ? {} : { [ZONE]: name[0] ?? "" };
    const status = { allocatable: { cpu: "8", memory: "8Gi", pods: "50" } };
    table.setNode({ metadata: { name, labels: { [HOST]: name, ...zone } }, status });
  }
  let serial = 0;
  const pod = (app: string, spec: PodSpec = {}, namespace = "x") => {
    const name = `${app}-${serial++}`;
    return podInfoOf({
      metadata: { name, namespace, uid: name, labels: { app } },
      spec: { containers: [{ name: "c" }], ...spec },
    });
  };
  const fits = (info: ReturnType<typeof pod>) =>
    placer
      .explain(info)
      .filter(({ failures }) => failures.length === 0)
      .map(({ node }) => node);
  return { table, placer, pod, fits };
}

const term = (app: string, topologyKey: string, more: PodAffinityTerm = {}): PodAffinityTerm => ({
  labelSelector: { matchLabels: { app } },
  topologyKey,
  ...more,
});
const near = (...terms: PodAffinityTerm[]): { affinity: Affinity } => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});
const away = (...terms: PodAffinityTerm[]): { affinity: Affinity } => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
});

test("affinity: only where a matching pod is, by zone; the first of a group may begin anywhere with the label", () => {
  const { table, pod, fits, placer } = world();
  const web = pod("web", near(term("db", ZONE)));
  expect(placer.place(web)).toMatchObject({ node: undefined });
  expect(placer.explain(web)[0]?.failures).toEqual([
    { filter: "InterPodAffinity", reason: "node(s) didn't match pod affinity rules" },
  ]);
  table.addPod(pod("db"), "b1");
  expect(fits(web)).toEqual(["b1", "b2"]);
  expect(fits(pod("group", near(term("group", ZONE))))).toEqual(["a1", "a2", "b1", "b2"]);
});

test("anti-affinity: not beside a matching pod, in both directions, and by namespace", () => {
  const { table, pod, fits, placer } = world();
  table.addPod(pod("db"), "a1");
  expect(fits(pod("web", away(term("db", HOST))))).toEqual(["a2", "b1", "b2", "bare"]);
  expect(fits(pod("web", away(term("db", ZONE))))).toEqual(["b1", "b2", "bare"]);
  expect(fits(pod("web", away(term("db", ZONE)), "other"))).toHaveLength(5);
  expect(fits(pod("web", away(term("db", ZONE, { namespaces: ["x"] })), "other"))).toEqual(["b1", "b2", "bare"]);
  table.addPod(pod("lonely", away(term("web", ZONE))), "b1");
  const web = pod("web");
  expect(fits(web)).toEqual(["a1", "a2", "bare"]);
  const refused = placer.explain(web).find(({ node }) => node === "b2");
  expect(refused?.failures[0]?.reason).toBe("node(s) didn't satisfy existing pods anti-affinity rules");
});

test("a selector of namespaces follows their labels", () => {
  const { table, pod, fits } = world();
  table.addPod(pod("db", {}, "prod-1"), "a1");
  const spec = away(term("db", ZONE, { namespaceSelector: { matchLabels: { env: "prod" } } }));
  expect(fits(pod("web", spec))).toHaveLength(5);
  table.setNamespace("prod-1", { env: "prod" });
  expect(fits(pod("web", spec))).toEqual(["b1", "b2", "bare"]);
  const everywhere = away(term("db", ZONE, { namespaceSelector: {} }));
  expect(fits(pod("web", everywhere))).toEqual(["b1", "b2", "bare"]);
});

test("preferences between pods draw near and keep away", () => {
  const { table, pod, placer } = world();
  table.addPod(pod("db"), "b2");
  const weighted = (app: string) => [{ weight: 100, podAffinityTerm: term(app, HOST) }];
  const drawn = { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: weighted("db") } } };
  expect(placer.place(pod("web", drawn)).node).toBe("b2");
  for (const name of ["a1", "a2", "b1"]) table.addPod(pod("noisy"), name);
  const kept = {
    affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: weighted("noisy") } },
  };
  expect(["b2", "bare"]).toContain(placer.place(pod("web", kept)).node);
});

test("spread: no domain is more than maxSkew ahead of the emptiest; nodes without the label are out", () => {
  const { table, pod, fits, placer } = world();
  const spec: PodSpec = {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: ZONE,
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { app: "web" } },
      },
    ],
  };
  expect(fits(pod("web", spec))).toEqual(["a1", "a2", "b1", "b2"]);
  table.addPod(pod("web", spec), "a1");
  expect(fits(pod("web", spec))).toEqual(["b1", "b2"]);
  expect(placer.explain(pod("web", spec)).map(({ failures }) => failures[0]?.reason)).toEqual([
    "node(s) didn't match pod topology spread constraints",
    "node(s) didn't match pod topology spread constraints",
    undefined,
    undefined,
    "node(s) didn't match pod topology spread constraints (missing required label)",
  ]);
  expect(fits(pod("web", { ...spec, nodeSelector: { [ZONE]: "a" } }))).toEqual(["a1", "a2"]);
  const needsThree: PodSpec = {
    topologySpreadConstraints: [{ ...spec.topologySpreadConstraints?.[0], minDomains: 3 }],
  };
  table.addPod(pod("web", spec), "b1");
  expect(fits(pod("web", needsThree))).toEqual([]);
});

test("spread by preference goes to the domain with fewest", () => {
  const { table, pod, placer } = world();
  table.removeNode("bare");
  for (const name of ["a1", "a2", "b1"]) table.addPod(pod("web"), name);
  const spec: PodSpec = {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: HOST,
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: { app: "web" } },
      },
    ],
  };
  expect(placer.place(pod("web", spec)).node).toBe("b2");
});
