import type { Random } from "../../../lib/core/random.ts";
import type { PodDisruptionBudget } from "../../../lib/gen/k8s/policy/v1.ts";
import { labelSelectorFromObject } from "../../../lib/resource/selector/label-selector.ts";
import type { NodeEntry, NodeTable } from "../nodes/node-table.ts";
import type { PodInfo } from "../nodes/pod-info.ts";
import type { Placer } from "../placement.ts";

/** Who has to go from where, so that a pod fits; or why nobody can. */
export type PreemptionPlan =
  | { readonly node: string; readonly victims: readonly PodInfo[] }
  | { readonly node: undefined; readonly message: string; readonly isWaiting: boolean };

interface Candidate {
  readonly entry: NodeEntry;
  /** Highest priority first. */
  readonly victims: readonly PodInfo[];
  readonly brokenBudgets: number;
}

/** Nodes looked at in one attempt, from a random one on. */
const CANDIDATES_MAX = 100;

/**
 * Finds pods of lower priority whose end lets a pod fit: as few and as unimportant as can be, and within disruption budgets
 * where possible (invariant 41). Changes nothing that lasts: the table is as before when `plan` answers.
 */
export class Preemptor {
  private readonly table: NodeTable;
  private readonly placer: Placer;
  private readonly random: Random;

  constructor(components: { table: NodeTable; placer: Placer; random: Random }) {
    this.table = components.table;
    this.placer = components.placer;
    this.random = components.random;
  }

  plan(pod: PodInfo, budgets: readonly PodDisruptionBudget[]): PreemptionPlan {
    if (pod.pod.spec?.preemptionPolicy === "Never") return nobody("not eligible due to preemptionPolicy=Never.");
    if (this.isWaiting(pod)) return nobody("not eligible due to a terminating pod on the nominated node.", true);
    const nodes = this.table.nodes();
    const helpful = this.placer.helpful(pod);
    const start = Math.floor(this.random.float() * helpful.length);
    const looked = this.table.hasLesser(pod.priority) ? [...helpful.slice(start), ...helpful.slice(0, start)] : [];
    const candidates = looked.slice(0, CANDIDATES_MAX).flatMap((entry) => this.candidate(pod, entry, budgets) ?? []);
    const best = candidates.sort(compareCandidates)[0];
    if (best !== undefined) return { node: best.entry.name, victims: best.victims };
    return nobody(reasons(nodes.length, helpful.length));
  }

  /** Others are leaving the node that the pod was promised. */
  private isWaiting(pod: PodInfo): boolean {
    const entry = this.table.get(this.table.nominationOf(pod.uid) ?? "");
    const isLeaving = (other: PodInfo) =>
      other.priority < pod.priority && other.pod.metadata?.deletionTimestamp !== undefined;
    return [...(entry?.pods.values() ?? [])].some(isLeaving);
  }

  /** Takes all lesser pods off, sees whether the pod fits, and puts back as many as it can, the most important first. */
  private candidate(pod: PodInfo, entry: NodeEntry, budgets: readonly PodDisruptionBudget[]): Candidate | undefined {
    const lesser = [...entry.pods.values()].filter((other) => other.priority < pod.priority);
    if (lesser.length === 0) return undefined;
    const { broken, kept } = splitByBudgets(lesser.sort(moreImportant), budgets);
    const victims: PodInfo[] = [];
    let brokenBudgets = 0;
    this.table.without(lesser, (putBack) => {
      if (!this.placer.fits(pod, entry)) {
        victims.length = 0;
        return;
      }
      for (const other of [...broken, ...kept]) {
        if (putBack(other, () => this.placer.fits(pod, entry))) continue;
        victims.push(other);
        if (broken.includes(other)) brokenBudgets++;
      }
    });
    if (victims.length === 0) return undefined;
    return { entry, victims: victims.sort(moreImportant), brokenBudgets };
  }
}

function nobody(why: string, isWaiting = false): PreemptionPlan {
  return { node: undefined, message: `preemption: ${why}`, isWaiting };
}

function reasons(all: number, helpful: number): string {
  const counted = [
    ...(helpful > 0 ? [`${helpful} No preemption victims found for incoming pod`] : []),
    ...(all > helpful ? [`${all - helpful} Preemption is not helpful for scheduling`] : []),
  ];
  return `0/${all} nodes are available: ${counted.sort().join(", ")}.`;
}

/** Higher priority, then longer running. */
function moreImportant(a: PodInfo, b: PodInfo): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  return startOf(a) < startOf(b) ? -1 : 1;
}

function startOf(info: PodInfo): string {
  return info.pod.status?.startTime ?? info.pod.metadata?.creationTimestamp ?? "";
}

/** The pods whose end a budget does not allow, and the others. */
function splitByBudgets(
  pods: readonly PodInfo[],
  budgets: readonly PodDisruptionBudget[],
): { broken: PodInfo[]; kept: PodInfo[] } {
  const left = budgets.map((budget) => ({
    namespace: budget.metadata?.namespace,
    selector: labelSelectorFromObject(budget.spec?.selector),
    allowed: budget.status?.disruptionsAllowed ?? 0,
    disrupted: budget.status?.disruptedPods ?? {},
  }));
  const broken: PodInfo[] = [];
  const kept: PodInfo[] = [];
  for (const info of pods) {
    const { namespace, labels, name = "" } = info.pod.metadata ?? {};
    const hit = left.filter(
      (budget) =>
        budget.namespace === namespace && budget.selector.matches(labels) && !Object.hasOwn(budget.disrupted, name),
    );
    for (const budget of hit) budget.allowed--;
    (hit.some((budget) => budget.allowed < 0) ? broken : kept).push(info);
  }
  return { broken, kept };
}

/** Upstream's order: budgets, highest victim, sum of priorities, number, and the latest start of the highest. */
function compareCandidates(a: Candidate, b: Candidate): number {
  const sumOf = ({ victims }: Candidate) => victims.reduce((sum, victim) => sum + victim.priority + 2 ** 31, 0);
  return (
    a.brokenBudgets - b.brokenBudgets ||
    a.victims[0]!.priority - b.victims[0]!.priority ||
    sumOf(a) - sumOf(b) ||
    a.victims.length - b.victims.length ||
    (startOf(a.victims[0]!) < startOf(b.victims[0]!) ? 1 : -1)
  );
}
