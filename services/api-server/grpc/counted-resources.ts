import type { Clock } from "../../../lib/core/clock.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { Target } from "../../../lib/gen/keelson/api/v1/resources.ts";
import type { ServerCall } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { ApiMetrics, RequestLabels } from "../rest/metrics.ts";
import type { ResourcesHandlers } from "./resources-service.ts";

export interface CountedResourcesComponents {
  readonly metrics: Pick<ApiMetrics, "answered">;
  readonly kinds: KindTable;
  readonly clock: Clock;
}

type Request = { readonly target?: Target | undefined };

const OK = 200;
const CLIENT_GONE = 499;

/** The same handlers; each call is counted as REST's are, by what it was about and the HTTP code of its outcome. */
export function countedResources(
  handlers: ResourcesHandlers,
  components: CountedResourcesComponents,
): ResourcesHandlers {
  const counted: Record<string, unknown> = {};
  for (const [method, handler] of Object.entries(handlers)) {
    counted[method] =
      method === "watch"
        ? countedStream(handler as (request: Request, call: ServerCall) => AsyncIterable<unknown>, components)
        : countedCall(method, handler as (request: Request, call: ServerCall) => Promise<unknown>, components);
  }
  return counted as ResourcesHandlers;
}

function countedCall(
  method: string,
  handler: (request: Request, call: ServerCall) => Promise<unknown>,
  { metrics, kinds, clock }: CountedResourcesComponents,
) {
  return async (request: Request, call: ServerCall): Promise<unknown> => {
    const startMs = clock.monotonicMs();
    const tell = (code: number) =>
      metrics.answered(labelsOf(method, request.target, kinds), code, clock.monotonicMs() - startMs);
    try {
      const answer = await handler(request, call);
      tell(OK);
      return answer;
    } catch (error) {
      tell(codeOf(error, call));
      throw error;
    }
  };
}

function countedStream(
  handler: (request: Request, call: ServerCall) => AsyncIterable<unknown>,
  { metrics, kinds }: CountedResourcesComponents,
) {
  return async function* (request: Request, call: ServerCall): AsyncIterable<unknown> {
    let code = OK;
    try {
      yield* handler(request, call);
    } catch (error) {
      code = codeOf(error, call);
      throw error;
    } finally {
      metrics.answered(labelsOf("watch", request.target, kinds), code, 0);
    }
  };
}

/** Only what is served becomes a label: what clients write is without bound. */
function labelsOf(method: string, target: Target | undefined, kinds: KindTable): RequestLabels {
  const verb = method.toUpperCase();
  const kind = target === undefined ? undefined : kinds.find(target.group, target.version, target.resource);
  if (target === undefined || kind === undefined) {
    return { verb, group: "", version: "", resource: "", subresource: "", scope: "" };
  }
  const { group, version, resource } = target;
  const isKnown = kind.definition.subresources.some(({ name }) => name === target.subresource);
  const subresource = isKnown ? target.subresource : "";
  const scope = target.name !== "" ? "resource" : target.namespace !== "" ? "namespace" : "cluster";
  return { verb, group, version, resource, subresource, scope };
}

function codeOf(error: unknown, call: ServerCall): number {
  if (call.signal.aborted) return CLIENT_GONE;
  return asStatusError(error instanceof RpcError ? error.cause : error).code;
}
