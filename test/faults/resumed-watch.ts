import type { SplitAccess } from "./split-access.ts";

export interface WatchedEvent {
  readonly type: string;
  readonly name: string;
  readonly revision: number;
}

interface Line {
  readonly type: string;
  readonly object: {
    readonly code?: number;
    readonly message?: string;
    readonly metadata?: { readonly name?: string; readonly resourceVersion?: string };
  };
}

const RETRY_MS = 100;
const EXPIRED = 410;

/**
 * A watch as a careful client keeps it: from a list, and again from the last revision heard of whenever it ends. It lists
 * again only when it is told that its revision is gone.
 */
export class ResumedWatch {
  readonly events: WatchedEvent[] = [];
  /** What it was told that it must not be told. */
  readonly violations: string[] = [];
  /** Revisions of the lists that it made; what happened before the last one is not all in `events`. */
  readonly lists: number[] = [];
  readonly #access: SplitAccess;
  readonly #target: string;
  readonly #stopper = new AbortController();
  #revision = "";
  #running: Promise<void> | undefined;

  /** `target`: of the list. */
  constructor(access: SplitAccess, target: string) {
    this.#access = access;
    this.#target = target;
  }

  /** Resolves when it has listed. */
  async start(): Promise<void> {
    await this.#list();
    this.#running ??= this.#run(this.#stopper.signal);
  }

  async stop(): Promise<void> {
    this.#stopper.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#revision === "") await this.#list();
        await this.#follow(signal);
      } catch {
        // Whoever served it is gone, or none can be reached.
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #list(): Promise<void> {
    const { status, text } = await this.#access.request("GET", this.#target);
    if (status !== 200) throw new Error(`list: ${status} ${text}`);
    this.#revision = JSON.parse(text).metadata.resourceVersion;
    this.lists.push(Number(this.#revision));
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const target = `${this.#target}?watch=1&allowWatchBookmarks=true&resourceVersion=${this.#revision}`;
    const line = (text: string) => this.#take(JSON.parse(text) as Line);
    const { status } = await this.#access.request("GET", target, { line, signal });
    if (status === EXPIRED) this.#revision = "";
  }

  #take({ type, object }: Line): void {
    // What else can be wrong passes: a server that lags, a store that is away.
    if (type === "ERROR" && object.code === EXPIRED) this.#revision = "";
    if (type === "ERROR" || this.#revision === "") return;
    const { name = "", resourceVersion = "" } = object.metadata ?? {};
    if (Number(resourceVersion) < Number(this.#revision)) {
      this.violations.push(`18: ${type} ${name} at ${resourceVersion} after ${this.#revision}`);
    }
    this.#revision = resourceVersion;
    if (type !== "BOOKMARK") this.events.push({ type, name, revision: Number(resourceVersion) });
  }
}
