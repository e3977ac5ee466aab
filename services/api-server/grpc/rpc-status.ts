import type { StatusError } from "../../../lib/core/status-error.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import { Status as RpcStatus } from "../../../lib/gen/google/rpc/status.ts";
import { type RpcCode, RpcError } from "../../../lib/transport/rpc-error.ts";
import type { StatusCodec } from "../core/status-codec.ts";

const BY_REASON: Readonly<Record<string, RpcCode>> = { AlreadyExists: "ALREADY_EXISTS" };

const BY_CODE: Readonly<Record<number, RpcCode>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  405: "UNIMPLEMENTED",
  406: "INVALID_ARGUMENT",
  409: "ABORTED",
  410: "OUT_OF_RANGE",
  413: "RESOURCE_EXHAUSTED",
  415: "INVALID_ARGUMENT",
  422: "INVALID_ARGUMENT",
  429: "RESOURCE_EXHAUSTED",
  501: "UNIMPLEMENTED",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
  507: "RESOURCE_EXHAUSTED",
};

/** google.rpc.Code by name, for the status inside the details. */
const NUMBERS: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};

const TYPE_URL = "type.googleapis.com/k8s.io.apimachinery.pkg.apis.meta.v1.Status";

/** A failure of the core as gRPC tells it: a code, and the Kubernetes Status in `grpc-status-details-bin`. */
export function rpcErrorOf(thrown: unknown, codec: StatusCodec): RpcError {
  if (thrown instanceof RpcError) return thrown;
  const error: StatusError = asStatusError(thrown);
  const code = BY_REASON[error.reason] ?? BY_CODE[error.code] ?? "INTERNAL";
  const status = {
    code: NUMBERS[code] ?? 13,
    message: error.message,
    details: [{ typeUrl: TYPE_URL, value: Buffer.from(codec.message(error.toStatus())) }],
  };
  return new RpcError(code, error.message, { details: RpcStatus.encode(status).finish(), cause: error });
}
