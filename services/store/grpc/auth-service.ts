import { AuthDefinition } from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import { headerOf } from "./response-header.ts";

/** `etcdserverpb.Auth`: off, and cannot be switched on; who may come in is decided by client certificates. */
export function authService(store: SqliteStore): ServiceHandlers<typeof AuthDefinition> {
  const refuse = async () => {
    throw new RpcError(
      "UNIMPLEMENTED",
      "this store has no users and roles; restrict access by client certificates (--client-ca)",
    );
  };
  const refused = Object.fromEntries(Object.keys(AuthDefinition.methods).map((name) => [name, refuse]));
  return {
    ...refused,
    authStatus: async () => ({ header: headerOf(store), enabled: false, authRevision: 0n }),
  };
}
