import { StatusError, serviceUnavailable } from "../core/status-error.ts";
import { Status as RpcStatus } from "../gen/google/rpc/status.ts";
import type { Status } from "../gen/k8s/meta/v1.ts";
import type { Codec } from "../resource/codec/codec.ts";
import type { MessageSchema } from "../resource/schema.ts";
import { RpcError } from "../transport/rpc-error.ts";

/** A failed call as a StatusError: the Status that the server sent, or one made of the gRPC code where none came along. */
export function statusErrorOf(thrown: unknown, codec: Codec, statusSchema: MessageSchema): unknown {
  if (!(thrown instanceof RpcError)) return thrown;
  const carried = thrown.details === undefined ? undefined : RpcStatus.decode(thrown.details).details[0]?.value;
  if (carried !== undefined) return fromStatus(codec.decodeProtobuf(statusSchema, carried).object as Status, thrown);
  if (thrown.code === "DEADLINE_EXCEEDED")
    return new StatusError(504, "Timeout", thrown.message, undefined, { cause: thrown });
  if (thrown.code === "INTERNAL")
    return new StatusError(500, "InternalError", thrown.message, undefined, { cause: thrown });
  // Whatever else comes without a Status comes from the wire, not from the API: another try may find it mended.
  return serviceUnavailable(`the API cannot be reached: ${thrown.message}`, thrown);
}

export function fromStatus(status: Status, cause?: unknown): StatusError {
  const details = status.details as StatusError["details"];
  const options = cause === undefined ? undefined : { cause };
  return new StatusError(status.code ?? 500, status.reason ?? "", status.message ?? "", details, options);
}
