import type { WatchDefinition } from "../../../lib/gen/etcd/etcdserverpb/rpc.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import type { SqliteStore } from "../sqlite-store.ts";
import { WatchSession } from "./watch-session.ts";

/** `etcdserverpb.Watch`: every stream is a session of its own. */
export function watchService(store: SqliteStore): ServiceHandlers<typeof WatchDefinition> {
  return {
    async *watch(requests, call) {
      const session = new WatchSession(store);
      call.signal.addEventListener("abort", () => session.end(), { once: true });
      try {
        session.follow(requests);
        yield* session.responses();
      } finally {
        session.end();
      }
    },
  };
}
