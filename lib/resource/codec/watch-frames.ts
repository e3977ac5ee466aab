import { WireWriter } from "./wire-writer.ts";

export type WatchEventType = "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";

const writer = new WireWriter();

/** One event of a JSON watch stream, `object` being JSON with kind and apiVersion. Ends with a line feed. */
export function jsonWatchFrame(type: WatchEventType, object: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), object, JSON_END]);
}

const JSON_END = Buffer.from("}\n");

/**
 * One event of a protobuf watch stream: four bytes of length, then the WatchEvent, which has no envelope (upstream encodes
 * streams with the raw serializer, kubernetes/apimachinery:pkg/runtime/serializer/codec_factory.go), while `object` within
 * it has one.
 */
export function protobufWatchFrame(type: WatchEventType, object: Uint8Array): Buffer {
  try {
    // RawExtension { raw = 1 } as field 2.
    writer.bytes(object);
    writer.varint(object.length);
    writer.varint(0x0a);
    writer.varint(writer.sizeBytes);
    writer.varint(0x12);
    writer.string(type);
    writer.varint(0x0a);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(writer.sizeBytes);
    writer.bytes(length);
    return writer.finish();
  } finally {
    writer.reset();
  }
}
