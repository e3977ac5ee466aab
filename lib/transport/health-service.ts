import type { Clock } from "../core/clock.ts";
import { HealthCheckResponse_ServingStatus, type HealthDefinition } from "../gen/grpc/health/v1/health.ts";
import type { ServiceHandlers } from "./grpc-server.ts";
import { RpcError } from "./rpc-error.ts";

const POLL_MS = 1000;

/**
 * grpc.health.v1 over one readiness, for the whole server (the empty name) and for the services named.
 * Source: github.com/grpc/grpc:doc/health-checking.md.
 */
export function healthService(
  components: { clock: Clock },
  serviceNames: readonly string[],
  isReady: () => Promise<boolean>,
): ServiceHandlers<typeof HealthDefinition> {
  const isKnown = (name: string) => name === "" || serviceNames.includes(name);
  const statusOf = async (): Promise<HealthCheckResponse_ServingStatus> =>
    (await isReady()) ? HealthCheckResponse_ServingStatus.SERVING : HealthCheckResponse_ServingStatus.NOT_SERVING;
  return {
    async check({ service }) {
      if (!isKnown(service)) throw new RpcError("NOT_FOUND", "unknown service");
      return { status: await statusOf() };
    },
    async *watch({ service }, call) {
      if (!isKnown(service)) {
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
