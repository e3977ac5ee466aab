/**
 * Bytes or a value that are not what the schema says. `message` is safe to show to the sender: it names places and types,
 * never values, since values may be secret. The api-server answers 400, gRPC INVALID_ARGUMENT.
 */
export class DecodeError extends Error {
  /** Where, `spec.containers[0].name`; empty when the whole body is meant. */
  readonly path: string;

  constructor(reason: string, path = "", options?: ErrorOptions) {
    super(path === "" ? reason : `${path}: ${reason}`, options);
    this.name = "DecodeError";
    this.path = path;
  }
}

/** A body that is refused for its size before it is parsed; the api-server answers 413. */
export class BodyTooLargeError extends DecodeError {}
