import { Metadata, type ServiceError, status } from "@grpc/grpc-js";

/** gRPC status codes by name, without OK. */
export type RpcCode = Exclude<keyof typeof status, "OK">;

const DETAILS_KEY = "grpc-status-details-bin";

/** A call that failed. `message` is the status message of the wire; `details` the bytes of a `google.rpc.Status`. */
export class RpcError extends Error {
  readonly code: RpcCode;
  readonly details: Uint8Array | undefined;

  constructor(code: RpcCode, message: string, options?: { details?: Uint8Array; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RpcError";
    this.code = code;
    this.details = options?.details;
  }
}

/** What grpc-js threw, as an RpcError. */
export function fromServiceError(error: unknown): RpcError {
  const thrown = error as Partial<ServiceError>;
  if (typeof thrown.code !== "number")
    return new RpcError("UNKNOWN", String(thrown.message ?? error), { cause: error });
  const code = (status[thrown.code] ?? "UNKNOWN") as RpcCode;
  const details = thrown.metadata?.get(DETAILS_KEY)[0];
  return new RpcError(code, thrown.details ?? thrown.message ?? "", {
    cause: error,
    ...(details instanceof Uint8Array ? { details } : {}),
  });
}

/** An RpcError as grpc-js sends it; anything else becomes an opaque INTERNAL, since its text may hold what is private. */
export function toServiceError(error: unknown): Partial<ServiceError> {
  const rpc = error instanceof RpcError ? error : new RpcError("INTERNAL", "internal error", { cause: error });
  const metadata = new Metadata();
  if (rpc.details !== undefined) metadata.set(DETAILS_KEY, Buffer.from(rpc.details));
  return { code: status[rpc.code], details: rpc.message, metadata };
}
