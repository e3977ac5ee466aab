import { afterAll, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { EtcdStore } from "../../lib/store/etcd-store.ts";
import type { Compare, RangeRequest, Store, StoreEvent, StoreOp, TxnRequest } from "../../lib/store/store.ts";
import { openTestStore } from "../../services/store/testkit/test-store.ts";
import { type Etcd, startEtcd } from "../kit/etcd.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";

const SEEDS = [1, 2, 3, 4, 5, 6];
const STEPS = 400;
/** How deep transactions nest. */
const DEPTH = 2;

type Step =
  | { readonly do: "txn"; readonly request: TxnRequest }
  | { readonly do: "range"; readonly request: RangeRequest }
  | { readonly do: "compact"; readonly revision: number };

/** Draws what to do next; few keys and small numbers, so that things meet. */
class Draw {
  readonly #random: SeededRandom;
  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  step(revision: number): Step {
    const what = this.#random.float();
    if (what < 0.02) return { do: "compact", revision: Math.max(1, revision - this.#below(40) + 1) };
    if (what < 0.35) return { do: "range", request: this.#range(revision) };
    return { do: "txn", request: this.#txn(revision, DEPTH) };
  }

  #below(limit: number): number {
    return Math.floor(this.#random.float() * limit);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]!;
  }

  #key(): Uint8Array {
    return Buffer.from(`k${this.#below(8)}`);
  }

  #end(): { rangeEnd?: Uint8Array } {
    const kind = this.#below(5);
    if (kind < 2) return {};
    return { rangeEnd: kind === 2 ? Uint8Array.of(0) : Buffer.from(`k${this.#below(9)}`) };
  }

  /** No open or inverted ends: there etcd overlooks that a key is put and deleted, and we do not. */
  #deleted(): { key: Uint8Array; rangeEnd?: Uint8Array } {
    const from = this.#below(8);
    const key = Buffer.from(`k${from}`);
    return this.#below(2) === 0 ? { key } : { key, rangeEnd: Buffer.from(`k${from + 1 + this.#below(9 - from)}`) };
  }

  #range(revision: number): RangeRequest {
    const bound = () => (this.#below(4) === 0 ? revision - this.#below(30) : 0);
    const sort = this.#below(2) === 0;
    return {
      key: this.#key(),
      ...this.#end(),
      limit: this.#below(3) === 0 ? this.#below(4) : 0,
      revision: this.#below(3) === 0 ? Math.max(0, revision + 3 - this.#below(40)) : 0,
      ...(sort
        ? {
            sort: {
              // Equal values leave the order open: only targets that differ between keys are compared.
              target: this.#pick(["key", "mod"] as const),
              order: this.#pick(["ascend", "descend"] as const),
            },
          }
        : {}),
      keysOnly: this.#below(5) === 0,
      countOnly: this.#below(8) === 0,
      minModRevision: bound(),
      maxModRevision: bound(),
      minCreateRevision: bound(),
      maxCreateRevision: bound(),
    };
  }

  #txn(revision: number, depth: number): TxnRequest {
    const list = <T>(limit: number, make: () => T) => Array.from({ length: this.#below(limit) }, make);
    return {
      compare: list(3, () => this.#compare(revision)),
      success: list(4, () => this.#op(revision, depth)),
      failure: list(3, () => this.#op(revision, depth)),
    };
  }

  #compare(revision: number): Compare {
    const base = {
      key: this.#key(),
      ...(this.#below(4) === 0 ? this.#end() : {}),
      result: this.#pick(["equal", "notEqual", "greater", "less"] as const),
    };
    const kind = this.#below(5);
    if (kind === 0) return { ...base, target: "value", value: Buffer.from(String(this.#below(4))) };
    if (kind === 1) return { ...base, target: "lease", value: 0n };
    if (kind === 2) return { ...base, target: "version", value: this.#below(4) };
    return { ...base, target: kind === 3 ? "mod" : "create", value: Math.max(0, revision - this.#below(20)) };
  }

  #op(revision: number, depth: number): StoreOp {
    const kind = this.#below(depth > 0 ? 10 : 9);
    const flag = (share: number) => this.#below(share) === 0;
    if (kind === 9) return { type: "txn", ...this.#txn(revision, depth - 1) };
    if (kind < 2) return { type: "range", ...this.#range(revision) };
    // etcd overlooks as well that one nested transaction deletes what an earlier one has put.
    if (kind < 4 && depth === DEPTH) return { type: "delete", ...this.#deleted(), prevKv: flag(2) };
    const ignoreValue = flag(10);
    const value = Buffer.from(ignoreValue && !flag(6) ? "" : String(this.#below(4)));
    return { type: "put", key: this.#key(), value, prevKv: flag(2), ignoreValue, lease: flag(30) ? 99n : 0n };
  }
}

/** An answer or an error as plain text, comparable between stores. */
async function outcome(store: Store, step: Step): Promise<string> {
  const show = (_name: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);
  try {
    if (step.do === "txn") return JSON.stringify(await store.txn(step.request), show);
    if (step.do === "range") return JSON.stringify(await store.range(step.request), show);
    return JSON.stringify(await store.compact(step.revision)) ?? "done";
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
}

/** Bytes look alike whatever array holds them; a nested transaction has no revision of its own. */
function plain(text: string): unknown {
  return JSON.parse(text.startsWith("{") ? text : JSON.stringify(text), (name, value) => {
    if (value?.type === "txn") return { ...value, revision: undefined };
    if (value?.type === "Buffer") return Buffer.from(value.data).toString();
    if (value !== null && typeof value === "object" && !Array.isArray(value) && "0" in value) {
      return Buffer.from(Object.values(value) as number[]).toString();
    }
    if ((name === "key" || name === "value") && value !== null && typeof value === "object") return "";
    return value;
  });
}

async function events(store: Store, count: number, from: number): Promise<string[]> {
  const found: StoreEvent[] = [];
  for await (const batch of store.watch({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), startRevision: from })) {
    if (batch.type === "cancelled") throw new Error(batch.reason);
    if (batch.type === "events") found.push(...batch.events);
    if (found.length >= count) break;
  }
  return found.map(({ type, kv }) => `${type} ${Buffer.from(kv.key)}=${Buffer.from(kv.value)}@${kv.modRevision}`);
}

describe.skipIf(skipping("differential", whyNotPrograms(["etcd"])))("ours and etcd, given the same", () => {
  const running: Etcd[] = [];
  afterAll(async () => {
    for (const etcd of running) await etcd.stop();
  });

  for (const seed of SEEDS) {
    test(`invariants 3 to 6 and 11: ${STEPS} random requests of seed ${seed} get the same answers, errors and events`, async () => {
      const etcd = await startEtcd();
      running.push(etcd);
      const theirs = new EtcdStore({ clock: realClock, log: silentLog }, { endpoints: [etcd.address] });
      const ours = await openTestStore();
      const draw = new Draw(seed);
      let compacted = 0;
      for (let i = 0; i < STEPS; i++) {
        const step = draw.step(ours.revision);
        const [mine, their] = [plain(await outcome(ours, step)), plain(await outcome(theirs, step))];
        expect(mine, `step ${i}: ${JSON.stringify(step, (_, v) => (typeof v === "bigint" ? `${v}n` : v))}`).toEqual(
          their,
        );
        if (step.do === "compact" && mine === "done") compacted = step.revision;
      }
      const from = compacted + 1;
      const ourEvents = await events(ours, 1, from);
      expect(await events(theirs, ourEvents.length, from)).toEqual(ourEvents);
      expect(ours.revision).toBeGreaterThan(50);
      await theirs.close();
      await ours.close();
    });
  }
});
