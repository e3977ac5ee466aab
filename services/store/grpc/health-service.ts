import { HealthCheckResponse_ServingStatus, type HealthDefinition } from "../../../lib/gen/grpc/health/v1/health.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import type { SqliteStore } from "../sqlite-store.ts";

/** `grpc.health.v1.Health` of the whole server. */
export function healthService(store: SqliteStore): ServiceHandlers<typeof HealthDefinition> {
  const now = async () => {
    const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
    return store.status().then(
      () => ({ status: SERVING }),
      () => ({ status: NOT_SERVING }),
    );
  };
  return {
    check: now,
    async *watch(_request, call) {
      yield await now();
      // A store that fails takes its process with it, so what follows is the end of the stream.
      await new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve(), { once: true }));
    },
  };
}
