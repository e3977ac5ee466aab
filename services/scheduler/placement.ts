import { RecentMap } from "../../lib/controller/recent-map.ts";
import type { Random } from "../../lib/core/random.ts";
import type { NodeDecision } from "./decision.ts";
import type { NodeEntry, NodeTable } from "./nodes/node-table.ts";
import type { PodInfo } from "./nodes/pod-info.ts";
import { type Filter, PASSES } from "./plugins/filter.ts";
import { SCORE_MAX, type Score } from "./plugins/score.ts";

export type Placement =
  | { readonly node: string; readonly feasible: number }
  | { readonly node: undefined; readonly failures: Failures };

/** Why nodes were refused. */
export interface Failures {
  readonly nodeCount: number;
  /** Nodes per reason. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Names of the filters that refused. */
  readonly filters: ReadonlySet<string>;
}

const SIGNATURES = 64;

/** What nodes' own properties decide, shared by pods of one signature. */
interface Shared {
  readonly generation: number;
  readonly passing: readonly NodeEntry[];
  readonly failures: ReadonlyMap<string, number>;
  readonly filters: ReadonlySet<string>;
}

/** Chooses nodes. Pure of effects: reads the table, writes nothing. */
export class Placer {
  private readonly table: NodeTable;
  private readonly random: Random;
  private readonly nodeFilters: readonly Filter[];
  private readonly usageFilters: readonly Filter[];
  private readonly filters: readonly Filter[];
  private readonly scores: readonly Score[];
  private readonly shared = new RecentMap<Shared>(SIGNATURES);

  constructor(
    components: { table: NodeTable; random: Random },
    options: { filters: readonly Filter[]; scores: readonly Score[] },
  ) {
    this.table = components.table;
    this.random = components.random;
    this.filters = options.filters;
    this.nodeFilters = options.filters.filter((filter) => filter.dependsOn === "node");
    this.usageFilters = options.filters.filter((filter) => filter.dependsOn === "usage");
    this.scores = options.scores;
  }

  place(pod: PodInfo): Placement {
    const shared = this.sharedOf(pod);
    const reasons = new Map(shared.failures);
    const refusing = new Set(shared.filters);
    const feasible = this.table.withNominated(pod, () =>
      this.passing(shared.passing, this.usageFilters, pod, reasons, refusing),
    );
    if (feasible.length > 0) return { node: this.best(pod, feasible).name, feasible: feasible.length };
    const nodeCount = this.table.nodes().length;
    return { node: undefined, failures: { nodeCount, reasons, filters: refusing } };
  }

  /** The nodes that could take the pod if others left. */
  helpful(pod: PodInfo): NodeEntry[] {
    const isHopeless = (entry: NodeEntry) =>
      this.usageFilters.some((filter) => filter.isHopeless?.(pod, entry, this.table) === true);
    return this.sharedOf(pod).passing.filter((entry) => !isHopeless(entry));
  }

  /** Whether the pod could run here as things are now, those included who were promised the node. */
  fits(pod: PodInfo, entry: NodeEntry): boolean {
    return this.table.withNominated(pod, () =>
      this.usageFilters.every((filter) => (filter.prepare(pod, this.table)?.(entry) ?? PASSES).length === 0),
    );
  }

  /** Every filter's answer for every node, and the score of those that could take the pod. */
  explain(pod: PodInfo): NodeDecision[] {
    const checks = this.filters.map((filter) => ({ name: filter.name, check: filter.prepare(pod, this.table) }));
    const decisions = this.table.nodes().map((entry) => {
      const failures = checks.flatMap(({ name, check }) =>
        (check?.(entry) ?? []).map((reason) => ({ filter: name, reason })),
      );
      return { entry, failures };
    });
    const feasible = decisions.filter(({ failures }) => failures.length === 0).map(({ entry }) => entry);
    const totals = new Map(feasible.map((entry, index) => [entry.name, index]));
    const scores = this.totals(pod, feasible);
    return decisions.map(({ entry, failures }) => {
      const index = totals.get(entry.name);
      return { node: entry.name, failures, ...(index === undefined ? {} : { score: scores[index]! }) };
    });
  }

  private sharedOf(pod: PodInfo): Shared {
    const found = this.shared.get(pod.signature);
    if (found?.generation === this.table.nodesGeneration) return found;
    const failures = new Map<string, number>();
    const filters = new Set<string>();
    const passing = this.passing(this.table.nodes(), this.nodeFilters, pod, failures, filters);
    const shared = { generation: this.table.nodesGeneration, passing, failures, filters };
    this.shared.set(pod.signature, shared);
    return shared;
  }

  private passing(
    nodes: readonly NodeEntry[],
    filters: readonly Filter[],
    pod: PodInfo,
    failures: Map<string, number>,
    refusing: Set<string>,
  ): NodeEntry[] {
    const checks = filters.flatMap((filter) => {
      const check = filter.prepare(pod, this.table);
      return check === undefined ? [] : [{ name: filter.name, check }];
    });
    const passing: NodeEntry[] = [];
    next: for (const entry of nodes) {
      for (const { name, check } of checks) {
        const reasons = check(entry);
        if (reasons.length === 0) continue;
        for (const reason of reasons) failures.set(reason, (failures.get(reason) ?? 0) + 1);
        refusing.add(name);
        continue next;
      }
      passing.push(entry);
    }
    return passing;
  }

  private best(pod: PodInfo, feasible: readonly NodeEntry[]): NodeEntry {
    if (feasible.length === 1) return feasible[0]!;
    const totals = this.totals(pod, feasible);
    let best = 0;
    let equals = 1;
    for (let index = 1; index < totals.length; index++) {
      if (totals[index]! > totals[best]!) {
        best = index;
        equals = 1;
      } else if (totals[index] === totals[best] && this.random.float() * ++equals < 1) best = index;
    }
    return feasible[best]!;
  }

  private totals(pod: PodInfo, feasible: readonly NodeEntry[]): Float64Array {
    const totals = new Float64Array(feasible.length);
    const raw = new Float64Array(feasible.length);
    for (const score of this.scores) {
      const scoreOf = score.prepare(pod, this.table);
      if (scoreOf === undefined) continue;
      scoreOf(feasible, raw);
      addNormalized(score, raw, totals);
    }
    return totals;
  }
}

function addNormalized({ normalize, weight }: Score, raw: Float64Array, totals: Float64Array): void {
  let most = normalize === "range" ? Number.NEGATIVE_INFINITY : 0;
  let least = normalize === "range" ? Number.POSITIVE_INFINITY : 0;
  if (normalize !== "none") for (const value of raw) most = Math.max(most, value);
  if (normalize === "range") for (const value of raw) least = Math.min(least, value);
  const scale = normalize === "none" ? weight : most === least ? 0 : (weight * SCORE_MAX) / (most - least);
  const base = normalize === "fewest-best" ? weight * SCORE_MAX : -least * scale;
  const sign = normalize === "fewest-best" ? -scale : scale;
  for (let index = 0; index < raw.length; index++) totals[index] = totals[index]! + base + sign * raw[index]!;
}
