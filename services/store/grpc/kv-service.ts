import type { KVDefinition } from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import {
  deleteResponse,
  putResponse,
  rangeOf,
  rangeResponse,
  txnOf,
  txnResponse,
} from "../../../lib/store/etcd-messages.ts";
import type { StoreOp, StoreOpResult } from "../../../lib/store/store.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import { answering, headerOf } from "./response-header.ts";

/** `etcdserverpb.KV`. Put and DeleteRange are transactions of one operation. */
export function kvService(store: SqliteStore): ServiceHandlers<typeof KVDefinition> {
  const single = async <T extends StoreOp["type"]>(op: StoreOp & { type: T }) => {
    const result = await store.txn({ compare: [], success: [op] });
    return {
      result: result.responses[0] as Extract<StoreOpResult, { type: T }>,
      header: headerOf(store, result.revision),
    };
  };
  return {
    range: (request) =>
      answering(async () => {
        const result = await store.range(rangeOf(request));
        return rangeResponse(result, headerOf(store, result.revision));
      }),
    put: (request) =>
      answering(async () => {
        const { result, header } = await single({ type: "put", ...request });
        return putResponse(result, header);
      }),
    deleteRange: (request) =>
      answering(async () => {
        const { result, header } = await single({ type: "delete", ...request });
        return deleteResponse(result, header);
      }),
    txn: (request) =>
      answering(async () => {
        const result = await store.txn(txnOf(request));
        return txnResponse(result, headerOf(store, result.revision));
      }),
    compact: (request) =>
      answering(async () => {
        await store.compact(Number(request.revision), request.physical);
        return { header: headerOf(store) };
      }),
  };
}
