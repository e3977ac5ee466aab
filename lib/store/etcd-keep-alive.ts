import type { Clock, Timer } from "../core/clock.ts";
import type { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from "../gen/etcd/etcdserverpb/rpc.ts";
import type { DuplexCall } from "../transport/grpc-client.ts";
import { type EtcdEndpoint, type EtcdEndpoints, REQUIRE_LEADER, storeErrorOf } from "./etcd-endpoints.ts";
import { StoreError } from "./store.ts";

interface Waiting {
  readonly resolve: (ttlSeconds: number) => void;
  readonly reject: (error: StoreError) => void;
  readonly timer: Timer;
}

type Call = DuplexCall<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

/** Short, so that whoever keeps a lease of a few seconds can ask another endpoint in its time. */
const ANSWER_MS = 2_000;

/**
 * Keep-alives of all leases on one stream, which the server answers in order; opened when it is needed, and elsewhere
 * when an answer does not come.
 */
export class EtcdKeepAlive {
  readonly #endpoints: EtcdEndpoints;
  readonly #clock: Clock;
  #call: Call | undefined;
  #waiting: Waiting[] = [];

  constructor(components: { endpoints: EtcdEndpoints; clock: Clock }) {
    this.#endpoints = components.endpoints;
    this.#clock = components.clock;
  }

  /** Resolves to the new time to live in seconds, 0 when the lease is gone. */
  async send(id: bigint): Promise<number> {
    const call = this.#call ?? this.#open(this.#endpoints.current());
    return await new Promise((resolve, reject) => {
      const timer = this.#clock.after(ANSWER_MS, () => call.cancel());
      this.#waiting.push({ resolve, reject, timer });
      void call.write({ ID: id });
    });
  }

  close(): void {
    this.#call?.cancel();
  }

  #open(endpoint: EtcdEndpoint): Call {
    const call = endpoint.lease.leaseKeepAlive({ metadata: REQUIRE_LEADER });
    this.#call = call;
    const follow = async () => {
      for await (const answer of call) {
        const first = this.#waiting.shift();
        first?.timer.cancel();
        first?.resolve(Number(answer.TTL));
        this.#endpoints.answered(endpoint);
      }
      throw new StoreError("UNAVAILABLE", "the server has ended the stream of keep-alives");
    };
    follow().catch((error: unknown) => {
      this.#call = undefined;
      const waiting = this.#waiting;
      this.#waiting = [];
      const failure = storeErrorOf(error);
      // A stream that nobody waits for may end without anything being wrong.
      if (failure.code === "UNAVAILABLE" && waiting.length > 0) this.#endpoints.leave(endpoint, failure);
      for (const one of waiting) {
        one.timer.cancel();
        one.reject(failure);
      }
    });
    return call;
  }
}
