import type { SplitAccess } from "./split-access.ts";

export const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
/** ConfigMaps that it writes in turn. */
const MAPS = 5;
const RETRY_MS = 50;

export interface CountingMap {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly data?: Readonly<Record<string, string>>;
}

/**
 * Writes counters one after the other through the balancer and keeps what was acknowledged. A write without an answer, or
 * with a 5xx, may have been done or not: the next one of that map begins with a read, as a client's does.
 */
export class AckedWriter {
  /** Highest number that was acknowledged, by name of the map. */
  readonly acked = new Map<string, number>();
  /** What was read and must not have been. */
  readonly losses: string[] = [];
  writes = 0;
  failures = 0;
  readonly #access: SplitAccess;
  readonly #stopper = new AbortController();
  #running: Promise<void> | undefined;
  #next = 0;

  constructor(access: SplitAccess) {
    this.#access = access;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopper.abort();
    await this.#running;
  }

  /** Acknowledged writes that the API does not show any more. */
  async lost(): Promise<string[]> {
    const lost = [...this.losses];
    for (const [name, number] of this.acked) {
      const { status, text } = await this.#access.request("GET", `${CONFIG_MAPS}/${name}`);
      const found = status === 200 ? numberOf(JSON.parse(text)) : -1;
      if (found < number) lost.push(`${name}: ${number} was acknowledged, ${status} ${found} is there`);
    }
    return lost;
  }

  async #run(): Promise<void> {
    while (!this.#stopper.signal.aborted) {
      const number = ++this.#next;
      const name = `acked-${number % MAPS}`;
      try {
        await this.#write(name, number);
      } catch {
        this.failures++;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** A read and a write that rests on it; the read itself must show everything that was acknowledged (invariant 19). */
  async #write(name: string, number: number): Promise<void> {
    const found = await this.#access.request("GET", `${CONFIG_MAPS}/${name}`);
    const before = found.status === 200 ? (JSON.parse(found.text) as CountingMap) : undefined;
    if (before === undefined && found.status !== 404) throw new Error(`read: ${found.status}`);
    const acked = this.acked.get(name) ?? -1;
    if (numberOf(before) < acked) this.losses.push(`${name}: read ${numberOf(before)} after ${acked}`);
    const body = { ...(before ?? { metadata: { name } }), data: { number: String(number) } };
    const written =
      before === undefined
        ? await this.#access.request("POST", CONFIG_MAPS, { body })
        : await this.#access.request("PUT", `${CONFIG_MAPS}/${name}`, { body });
    if (written.status !== 200 && written.status !== 201) throw new Error(`write: ${written.status}`);
    this.writes++;
    this.acked.set(name, number);
  }
}

export function numberOf(map: CountingMap | undefined): number {
  return Number(map?.data?.["number"] ?? -1);
}
