import type { Clock } from "../../../lib/core/clock.ts";
import { HealthCheckResponse_ServingStatus, type HealthDefinition } from "../../../lib/gen/grpc/health/v1/health.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";

const SERVICES = new Set(["", "keelson.api.v1.Resources"]);
const POLL_MS = 1000;

/** grpc.health.v1 over the server's own readiness; source: github.com/grpc/grpc:doc/health-checking.md. */
export function healthService(
  components: { clock: Clock },
  isReady: () => Promise<boolean>,
): ServiceHandlers<typeof HealthDefinition> {
  const statusOf = async (): Promise<HealthCheckResponse_ServingStatus> =>
    (await isReady()) ? HealthCheckResponse_ServingStatus.SERVING : HealthCheckResponse_ServingStatus.NOT_SERVING;
  return {
    async check({ service }) {
      if (!SERVICES.has(service)) throw new RpcError("NOT_FOUND", "unknown service");
      return { status: await statusOf() };
    },
    async *watch({ service }, call) {
      if (!SERVICES.has(service)) {
        yield { status: HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN };
        return;
      }
      let last: HealthCheckResponse_ServingStatus | undefined;
      while (!call.signal.aborted) {
        const status = await statusOf();
        if (status !== last) yield { status };
        last = status;
        await components.clock.sleep(POLL_MS, call.signal).catch(() => {});
      }
    },
  };
}
