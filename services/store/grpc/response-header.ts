import type { ResponseHeader } from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import { StoreError } from "../../../lib/store/store.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import type { SqliteStore } from "../sqlite-store.ts";

/** One member, one term: there is no election. */
export const RAFT_TERM = 1n;

export function headerOf(store: SqliteStore, revision = store.revision): ResponseHeader {
  const { clusterId, memberId } = store.identity;
  return { clusterId, memberId, revision: BigInt(revision), raftTerm: RAFT_TERM };
}

/** Runs a handler and gives its StoreError the gRPC code of the same name. */
export async function answering<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StoreError ? new RpcError(error.code, error.message, { cause: error }) : error;
  }
}
