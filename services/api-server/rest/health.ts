import type { Clock } from "../../../lib/core/clock.ts";
import type { Store } from "../../../lib/store/store.ts";
import type { WatchCache } from "../cache/watch-cache.ts";

/** One named condition; `undefined` is good, a text says for the log what is not. */
interface HealthCheck {
  readonly name: string;
  readonly trees: readonly ("healthz" | "livez" | "readyz")[];
  run(): Promise<string | undefined> | string | undefined;
}

export interface HealthAnswer {
  readonly code: number;
  readonly text: string;
}

const STORE_TIMEOUT_MS = 2000;
const READINESS_MS = 1000;
const HEALTH_KEY = Buffer.from("/registry/health");
const ALL = ["healthz", "livez", "readyz"] as const;

/** `/healthz`, `/livez` and `/readyz`, in upstream's words. */
export class Health {
  readonly #checks: readonly HealthCheck[];
  #isStopping = false;
  #isBootstrapped = false;
  readonly #clock: Clock;
  #readiness: Promise<boolean> | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(components: { store: Store; cache: WatchCache; clock: Clock }) {
    const { store, cache, clock } = components;
    this.#clock = clock;
    this.#checks = [
      { name: "ping", trees: ALL, run: () => undefined },
      {
        name: "etcd",
        trees: ALL,
        run: () => inTime(store.range({ key: HEALTH_KEY, countOnly: true }), clock, "the store does not answer"),
      },
      {
        name: "informer-sync",
        trees: ["readyz"],
        run: () =>
          cache.synced
            ? inTime(cache.fresh(), clock, "the watch caches lag behind the store")
            : "the watch caches are not filled yet",
      },
      {
        name: "poststarthook/bootstrap",
        trees: ALL,
        run: () => (this.#isBootstrapped ? undefined : "the first objects are not there yet"),
      },
      { name: "shutdown", trees: ["readyz"], run: () => (this.#isStopping ? "the server is stopping" : undefined) },
    ];
  }

  bootstrapped(): void {
    this.#isBootstrapped = true;
  }

  /** From now on `/readyz` says no, so that nobody sends new requests here. */
  stopping(): void {
    this.#isStopping = true;
  }

  /** Whether `/readyz` says yes, for those who ask all the time: found out once a second at most, however many they are. */
  isReady(): Promise<boolean> {
    if (this.#isStopping) return Promise.resolve(false);
    if (this.#readiness !== undefined && this.#clock.monotonicMs() - this.#readAtMs < READINESS_MS)
      return this.#readiness;
    // Whoever asks while it is being found out waits for the same answer.
    this.#readAtMs = Number.POSITIVE_INFINITY;
    this.#readiness = this.answer("readyz", new URLSearchParams())
      .then((answer) => answer?.code === 200)
      .finally(() => {
        this.#readAtMs = this.#clock.monotonicMs();
      });
    return this.#readiness;
  }

  /** `path` without the leading slash: `readyz`, `livez/etcd`; undefined where there is no such check. */
  async answer(path: string, query: URLSearchParams): Promise<HealthAnswer | undefined> {
    const [tree = "", ...rest] = path.split("/");
    const inTree = this.#checks.filter((check) => (check.trees as readonly string[]).includes(tree));
    if (inTree.length === 0) return undefined;
    if (rest.length > 0) {
      const check = inTree.find(({ name }) => name === rest.join("/"));
      if (check === undefined) return undefined;
      const problem = await check.run();
      return problem === undefined
        ? { code: 200, text: "ok" }
        : { code: 500, text: `internal server error: ${problem}\n` };
    }
    const excluded = new Set(query.getAll("exclude"));
    const lines: string[] = [];
    let isGood = true;
    for (const check of inTree) {
      if (excluded.has(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const problem = await check.run();
      isGood &&= problem === undefined;
      lines.push(problem === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
    }
    if (!isGood) return { code: 500, text: `${lines.join("\n")}\n${tree} check failed\n` };
    return { code: 200, text: query.has("verbose") ? `${lines.join("\n")}\n${tree} check passed\n` : "ok" };
  }
}

async function inTime(work: Promise<unknown>, clock: Clock, problem: string): Promise<string | undefined> {
  const late = new AbortController();
  const timeout = clock.sleep(STORE_TIMEOUT_MS, late.signal).then(
    () => problem,
    () => undefined,
  );
  const done = work.then(
    () => undefined,
    () => problem,
  );
  const outcome = await Promise.race([done, timeout]);
  late.abort();
  return outcome;
}
