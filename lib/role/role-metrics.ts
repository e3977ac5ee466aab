import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { QueueMetrics } from "../controller/work-queue.ts";
import type { Clock } from "../core/clock.ts";
import type { FollowerCounts } from "../events/follower-counts.ts";
import { queueMetrics } from "./queue-metrics.ts";

/** What a role's process measures of itself: process and event loop always, the rest as the role asks for it. */
export class RoleMetrics {
  /** A role adds metrics of its own here. */
  readonly registry = new Registry();
  readonly #clock: Clock;
  #queues: QueueMetrics | undefined;

  constructor(components: { clock: Clock }) {
    this.#clock = components.clock;
    collectDefaultMetrics({ register: this.registry });
  }

  /** For the work queues of this process. */
  get queues(): QueueMetrics {
    this.#queues ??= queueMetrics(this.registry, this.#clock);
    return this.#queues;
  }

  /** `leader_election_master_status` of the Lease `name`. */
  leadership(name: string, isLeading: () => boolean): void {
    new Gauge({
      name: "leader_election_master_status",
      help: "1 while this process holds the lease, 0 otherwise.",
      labelNames: ["name"],
      registers: [this.registry],
      collect() {
        this.set({ name }, isLeading() ? 1 : 0);
      },
    });
  }

  /** What the informers of this process meet on the bus, by stream. */
  busFollowers(counts: ReadonlyMap<string, FollowerCounts>): void {
    const registers = [this.registry];
    const labelNames = ["stream"];
    new Counter({
      ...{ name: "keelson_bus_resumes_total", help: "Questions to the API for what the bus did not tell.", registers },
      labelNames,
      collect() {
        this.reset();
        for (const [stream, { resumes }] of counts) this.inc({ stream }, resumes);
      },
    });
    new Counter({
      ...{ name: "keelson_bus_refused_total", help: "Messages of the bus that were not believed.", registers },
      labelNames: [...labelNames, "reason"],
      collect() {
        this.reset();
        for (const [stream, { refused }] of counts) {
          for (const [reason, count] of Object.entries(refused)) this.inc({ stream, reason }, count);
        }
      },
    });
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }
}
