import type { Clock } from "../../../lib/core/clock.ts";
import type { Node, NodeCondition } from "../../../lib/gen/k8s/core/v1.ts";

/** Without a sign of life for this long a node counts as lost; upstream's default since 1.32. */
export const GRACE_MS = 50_000;
/** A node that never posted is given this long from when it was first seen. */
export const STARTUP_GRACE_MS = 60_000;

/** Silent for this long, a node has missed more than one renewal: no witness that the fault is another node's. */
const DOUBT_MS = 25_000;

/** When each node was last heard of, by our own monotonic clock: a node's clock is never compared with ours. */
export class NodeHealth {
  private readonly clock: Clock;
  private readonly heard = new Map<string, { sign: string; atMs: number; everPosted: boolean }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** `renewTime` of its Lease, if it has one. A changed sign is a sign of life, whatever it says. */
  observe(node: Node, renewTime: string | undefined): void {
    const name = node.metadata?.name ?? "";
    const ready = readyCondition(node);
    const posted = ready?.lastHeartbeatTime;
    const sign = `${renewTime ?? ""}/${posted ?? ""}`;
    const before = this.heard.get(name);
    if (before?.sign === sign) return;
    const everPosted = renewTime !== undefined || posted !== undefined;
    this.heard.set(name, { sign, atMs: this.clock.monotonicMs(), everPosted });
  }

  isLost(name: string): boolean {
    const heard = this.heard.get(name);
    if (heard === undefined) return false;
    const silentMs = this.clock.monotonicMs() - heard.atMs;
    return silentMs >= (heard.everPosted ? GRACE_MS : STARTUP_GRACE_MS);
  }

  /** Says that it is well, and was heard of lately. */
  isWell(node: Node): boolean {
    const heard = this.heard.get(node.metadata?.name ?? "");
    if (heard === undefined || readiness(node) !== "True") return false;
    return this.clock.monotonicMs() - heard.atMs < DOUBT_MS;
  }

  forget(name: string): void {
    this.heard.delete(name);
  }
}

export function readyCondition(node: Node): NodeCondition | undefined {
  return node.status?.conditions?.find((condition) => condition.type === "Ready");
}

/** "Unknown" when the node has never said. */
export function readiness(node: Node): string {
  return readyCondition(node)?.status ?? "Unknown";
}
