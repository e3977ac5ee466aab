import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { WatchCache } from "../cache/watch-cache.ts";

/** What a request is counted under; every value comes from a closed set. */
export interface RequestLabels {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly scope: string;
}

const LABELS = ["verb", "group", "version", "resource", "subresource", "scope"] as const;

/** The metrics of the api-server, under upstream's names where upstream has them. */
export class ApiMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter;
  readonly #durations: Histogram;
  readonly #inFlight: Gauge;
  readonly #rejected: Counter;
  #measuresProcess = false;

  constructor(cache: WatchCache) {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: "apiserver_request_total",
      help: "Requests by verb, resource, scope and code.",
      labelNames: [...LABELS, "code"],
      registers,
    });
    this.#durations = new Histogram({
      name: "apiserver_request_duration_seconds",
      help: "Time to answer, watches left out.",
      labelNames: [...LABELS],
      buckets: [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 5, 10, 30, 60],
      registers,
    });
    this.#inFlight = new Gauge({
      name: "apiserver_current_inflight_requests",
      help: "Requests that are being answered.",
      labelNames: ["request_kind"],
      registers,
    });
    this.#rejected = new Counter({
      name: "apiserver_rejected_requests_total",
      help: "Requests answered with 429 because too many were in flight.",
      registers,
    });
    watchCacheMetrics(cache, this.#registry);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /**
   * Process and event loop are measured from the first call on: the timer that measures delays, 100 times a second, would be
   * a third of what an idle api-server does.
   */
  async text(): Promise<string> {
    if (!this.#measuresProcess) collectDefaultMetrics({ register: this.#registry });
    this.#measuresProcess = true;
    return await this.#registry.metrics();
  }

  begin(requestKind: "mutating" | "readOnly"): void {
    this.#inFlight.inc({ request_kind: requestKind });
  }

  end(requestKind: "mutating" | "readOnly"): void {
    this.#inFlight.dec({ request_kind: requestKind });
  }

  rejected(): void {
    this.#rejected.inc();
  }

  answered(labels: RequestLabels, code: number, durationMs: number): void {
    this.#requests.inc({ ...labels, code });
    if (labels.verb === "WATCH" || labels.subresource === "log") return;
    this.#durations.observe({ ...labels }, durationMs / 1000);
  }
}

function watchCacheMetrics(cache: WatchCache, registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: "apiserver_storage_objects",
    help: "Stored objects by kind.",
    labelNames: ["resource"],
    registers,
    collect() {
      for (const kind of cache.all()) this.set({ resource: kind.kind.storage.definition.resource }, kind.size);
    },
  });
  new Gauge({
    name: "apiserver_longrunning_requests",
    help: "Watches that are open, by kind.",
    labelNames: ["verb", "resource"],
    registers,
    collect() {
      for (const kind of cache.all()) {
        this.set({ verb: "WATCH", resource: kind.kind.storage.definition.resource }, kind.watcherCount);
      }
    },
  });
  new Gauge({
    name: "apiserver_watch_cache_resource_version",
    help: "Revision of the store up to which the caches have everything.",
    registers,
    collect() {
      this.set(cache.revision);
    },
  });
}
