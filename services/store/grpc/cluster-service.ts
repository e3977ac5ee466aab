import type { ClusterDefinition } from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import { headerOf } from "./response-header.ts";

/** `etcdserverpb.Cluster`: one member that stays alone. */
export function clusterService(
  store: SqliteStore,
  options: { readonly clientUrls: () => readonly string[] },
): ServiceHandlers<typeof ClusterDefinition> {
  const alone = async () => {
    throw new RpcError("UNIMPLEMENTED", "this store has one member; several members need an etcd cluster");
  };
  return {
    memberList: async () => ({
      header: headerOf(store),
      members: [
        {
          ID: store.identity.memberId,
          name: "keelson",
          peerURLs: [],
          clientURLs: [...options.clientUrls()],
          isLearner: false,
        },
      ],
    }),
    memberAdd: alone,
    memberRemove: alone,
    memberUpdate: alone,
    memberPromote: alone,
  };
}
