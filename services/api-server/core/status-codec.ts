import type { StatusObject } from "../../../lib/core/status-error.ts";
import type { Codec } from "../../../lib/resource/codec/codec.ts";
import type { Registry } from "../../../lib/resource/registry.ts";
import type { MessageSchema } from "../../../lib/resource/schema.ts";

/** A Status as an answer; `code` is absent where upstream has none. */
export type StatusLike = Partial<StatusObject> & { readonly kind: "Status" };

/** Encodes the answers that are no object of any kind. */
export class StatusCodec {
  readonly #codec: Codec;
  readonly #schema: MessageSchema;

  constructor(registry: Registry, codec: Codec) {
    const schema = registry.schemaOfKind("", "v1", "Status");
    if (schema === undefined) throw new Error("the registry lacks Status");
    this.#codec = codec;
    this.#schema = schema;
  }

  json(status: StatusLike): Uint8Array {
    return Buffer.from(JSON.stringify(status));
  }

  /** The message without an envelope. */
  message(status: StatusLike): Uint8Array {
    return this.#codec.encodeProtobuf(this.#schema, status);
  }

  protobuf(status: StatusLike): Uint8Array {
    return this.#codec.encodeEnvelope("v1", "Status", this.#schema, status);
  }
}
