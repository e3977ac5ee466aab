import type { NormalObject } from "../../lib/resource/codec/value-codec.ts";
import { type KeyChange, storedDecoder } from "./object-history.ts";

export const PODS = "/registry/pods/default/";

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly { readonly restartCount?: number }[];
  };
}

interface Known {
  readonly pod: Pod;
  readonly isAlive: boolean;
}

const PHASES = ["Pending", "Running", "Succeeded", "Failed"];
const decode = storedDecoder("", "v1", "pods") as (bytes: Uint8Array) => NormalObject & Pod;

/** Goes through the history of pods, revision by revision, and notes what must never be. */
export class PodLedger {
  /** Each names its invariant. */
  readonly violations: string[] = [];
  /** Most pods at once that were not being deleted. */
  mostAlive = 0;
  /** How often a pod was bound. */
  bound = 0;
  readonly #pods = new Map<string, Known>();

  /** Begins with what the store held. */
  constructor(now: ReadonlyMap<string, Uint8Array>) {
    for (const [key, value] of now) this.#pods.set(key, known(decode(value)));
    this.mostAlive = this.alive;
  }

  /** Pods that are not being deleted. */
  get alive(): number {
    return [...this.#pods.values()].filter(({ isAlive }) => isAlive).length;
  }

  apply(changes: readonly KeyChange[]): void {
    for (const change of changes) {
      const before = this.#pods.get(change.key);
      if (change.type === "DELETED") {
        this.#pods.delete(change.key);
        continue;
      }
      const after = known(decode(change.value));
      this.#pods.set(change.key, after);
      this.#compare(change, before?.pod, after.pod);
      this.mostAlive = Math.max(this.mostAlive, this.alive);
    }
  }

  #compare({ revision, key }: KeyChange, before: Pod | undefined, after: Pod): void {
    const violated = (what: string) => this.violations.push(`revision ${revision}, ${key}: ${what}`);
    const { nodeName } = after.spec;
    if (before !== undefined && before.metadata.uid !== after.metadata.uid) violated("21: replaced without a deletion");
    if (before?.spec.nodeName !== undefined && before.spec.nodeName !== nodeName) {
      violated(`40: moved from ${before.spec.nodeName} to ${nodeName}`);
    }
    if (before?.spec.nodeName === undefined && nodeName !== undefined) this.bound++;
    if (nodeName === undefined && phaseOf(after) > 0) violated(`40: ${after.status?.phase} on no node`);
    if (before?.metadata.deletionTimestamp !== undefined && after.metadata.deletionTimestamp === undefined) {
      violated("21: deleted no more");
    }
    if (before !== undefined && phaseOf(after) < phaseOf(before)) violated(`44: ${after.status?.phase} again`);
    if (before !== undefined && restartsOf(after) < restartsOf(before)) violated("43: fewer restarts than before");
  }
}

function known(pod: Pod): Known {
  return { pod, isAlive: pod.metadata.deletionTimestamp === undefined };
}

function phaseOf(pod: Pod): number {
  return PHASES.indexOf(pod.status?.phase ?? "Pending");
}

function restartsOf(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);
}
