import type { LeaseDefinition } from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import { buffer } from "../../../lib/store/etcd-messages.ts";
import { StoreError } from "../../../lib/store/store.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import { answering, headerOf } from "./response-header.ts";

/** `etcdserverpb.Lease`. */
export function leaseService(store: SqliteStore): ServiceHandlers<typeof LeaseDefinition> {
  return {
    leaseGrant: (request) =>
      answering(async () => {
        const lease = await store.leaseGrant({ ttlSeconds: Number(request.TTL), id: request.ID });
        return { header: headerOf(store), ID: lease.id, TTL: BigInt(lease.ttlSeconds), error: "" };
      }),
    leaseRevoke: (request) =>
      answering(async () => {
        await store.leaseRevoke(request.ID);
        return { header: headerOf(store) };
      }),
    async *leaseKeepAlive(requests) {
      for await (const request of requests) {
        const ttlSeconds = await answering(() => store.leaseKeepAlive(request.ID));
        yield { header: headerOf(store), ID: request.ID, TTL: BigInt(ttlSeconds) };
      }
    },
    leaseTimeToLive: (request) => answering(() => timeToLive(store, request.ID, request.keys)),
    leaseLeases: () =>
      answering(async () => ({
        header: headerOf(store),
        leases: (await store.leaseList()).map((id) => ({ ID: id })),
      })),
  };
}

/** A lease that is gone is no error here: its time to live is -1. */
async function timeToLive(store: SqliteStore, id: bigint, keys: boolean) {
  const none = { header: headerOf(store), ID: id, TTL: -1n, grantedTTL: 0n, keys: [] };
  try {
    const lease = await store.leaseTimeToLive(id, keys);
    return {
      ...none,
      TTL: BigInt(lease.leftSeconds),
      grantedTTL: BigInt(lease.grantedSeconds),
      keys: lease.keys.map(buffer),
    };
  } catch (error) {
    if (error instanceof StoreError && error.code === "NOT_FOUND") return none;
    throw error;
  }
}
