import type { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from "../gen/etcd/etcdserverpb/rpc.ts";
import type { DuplexCall } from "../transport/grpc-client.ts";
import { type EtcdEndpoints, storeErrorOf } from "./etcd-endpoints.ts";
import { StoreError } from "./store.ts";

interface Waiting {
  readonly resolve: (ttlSeconds: number) => void;
  readonly reject: (error: StoreError) => void;
}

type Call = DuplexCall<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

/** Keep-alives of all leases on one stream, which the server answers in order; opened when it is needed. */
export class EtcdKeepAlive {
  readonly #endpoints: EtcdEndpoints;
  #call: Call | undefined;
  #waiting: Waiting[] = [];

  constructor(endpoints: EtcdEndpoints) {
    this.#endpoints = endpoints;
  }

  /** Resolves to the new time to live in seconds, 0 when the lease is gone. */
  send(id: bigint): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      void (this.#call ?? this.#open()).write({ ID: id });
    });
  }

  close(): void {
    this.#call?.cancel();
  }

  #open(): Call {
    const call = this.#endpoints.current().lease.leaseKeepAlive();
    this.#call = call;
    const follow = async () => {
      for await (const answer of call) this.#waiting.shift()?.resolve(Number(answer.TTL));
      throw new StoreError("UNAVAILABLE", "the server has ended the stream of keep-alives");
    };
    follow().catch((error: unknown) => {
      this.#call = undefined;
      const waiting = this.#waiting;
      this.#waiting = [];
      const failure = storeErrorOf(error);
      if (failure.code === "UNAVAILABLE") this.#endpoints.rotate();
      for (const one of waiting) one.reject(failure);
    });
    return call;
  }
}
