import type { Clock } from "../../../lib/core/clock.ts";
import type { Node } from "../../../lib/gen/k8s/core/v1.ts";
import type { NodeHealth } from "./node-health.ts";

const ZONE = "topology.kubernetes.io/zone";
/** Upstream's defaults: a node per 10 s; in a zone mostly down one per 100 s, or none where the cluster is small. */
const INTERVAL_MS = 10_000;
const DISRUPTED_INTERVAL_MS = 100_000;
const UNHEALTHY_SHARE = 0.55;
const UNHEALTHY_MIN = 3;
const SMALL_CLUSTER = 50;

/**
 * How fast pods may be made to leave sick nodes. When every node is sick the fault is more likely on our side: nobody
 * leaves, as upstream's node life cycle does at full disruption.
 */
export class EvictionPace {
  private readonly clock: Clock;
  private readonly health: NodeHealth;
  private readonly nextMs = new Map<string, number>();

  constructor(components: { clock: Clock; health: NodeHealth }) {
    this.clock = components.clock;
    this.health = components.health;
  }

  /** Whether one more node of this zone may be emptied now; a yes is used up. */
  allows(node: Node, all: readonly Node[]): boolean {
    const zone = zoneOf(node);
    const intervalMs = this.intervalMs(zone, all);
    if (intervalMs === undefined) return false;
    const nowMs = this.clock.monotonicMs();
    if (nowMs < (this.nextMs.get(zone) ?? 0)) return false;
    this.nextMs.set(zone, nowMs + intervalMs);
    return true;
  }

  private intervalMs(zone: string, all: readonly Node[]): number | undefined {
    const sickOf = (nodes: readonly Node[]) => nodes.filter((node) => !this.health.isWell(node)).length;
    if (sickOf(all) === all.length) return undefined;
    const members = all.filter((node) => zoneOf(node) === zone);
    const sick = sickOf(members);
    const disrupted = sick >= UNHEALTHY_MIN && sick / members.length >= UNHEALTHY_SHARE;
    if (!disrupted || sick === members.length) return INTERVAL_MS;
    return all.length > SMALL_CLUSTER ? DISRUPTED_INTERVAL_MS : undefined;
  }
}

function zoneOf(node: Node): string {
  return node.metadata?.labels?.[ZONE] ?? "";
}
