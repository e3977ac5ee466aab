import { isJsonObject, type JsonObject, type JsonValue, memberOf } from "../json-value.ts";
import { ProtobufMessage } from "./protobuf-message.ts";

/** The media type of OpenAPI v2 in protobuf. */
export const V2_PROTOBUF_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/** An Accept header that wants it first. client-go writes `@`, which no media type may contain; answers have a dot. */
export function acceptsV2Protobuf(accept: string): boolean {
  return accept.trimStart().replace("@", ".").startsWith(V2_PROTOBUF_TYPE);
}

/**
 * An OpenAPI v2 document in its protobuf form (google/gnostic-models: openapiv2/OpenAPIv2.proto), as far as our
 * documents go. Values of any type are carried as YAML, of which JSON is a part.
 */
export function encodeV2Protobuf(document: JsonObject): Uint8Array {
  return new ProtobufMessage()
    .text(1, memberOf(document, "swagger"))
    .message(2, part(document, "info", info))
    .message(8, part(document, "paths", paths))
    .message(
      9,
      part(document, "definitions", (all) => named(all, 1, schema)),
    )
    .bytes();
}

type Encode = (value: JsonObject) => ProtobufMessage;

function part(owner: JsonObject, name: string, encode: Encode): ProtobufMessage | undefined {
  const value = memberOf(owner, name);
  return isJsonObject(value) ? encode(value) : undefined;
}

/** A map as a list of name and value, in field `number`. */
function named(all: JsonObject, number: number, encode: Encode): ProtobufMessage {
  const message = new ProtobufMessage();
  for (const [name, value] of Object.entries(all)) {
    if (isJsonObject(value)) message.message(number, new ProtobufMessage().text(1, name).message(2, encode(value)));
  }
  return message;
}

function any(value: JsonValue): ProtobufMessage {
  return new ProtobufMessage().text(2, JSON.stringify(value));
}

/** Members whose names begin with `x-`. */
function extensions(message: ProtobufMessage, number: number, value: JsonObject): ProtobufMessage {
  for (const [name, member] of Object.entries(value)) {
    if (name.startsWith("x-")) message.message(number, new ProtobufMessage().text(1, name).message(2, any(member)));
  }
  return message;
}

const info: Encode = (value) =>
  new ProtobufMessage().text(1, memberOf(value, "title")).text(2, memberOf(value, "version"));

const paths: Encode = (value) => named(value, 2, pathItem);

const methods = { get: 2, put: 3, post: 4, delete: 5, options: 6, head: 7, patch: 8 };

const pathItem: Encode = (value) => {
  const message = new ProtobufMessage();
  for (const [method, number] of Object.entries(methods)) message.message(number, part(value, method, operation));
  parameters(message, 9, value);
  return extensions(message, 10, value);
};

const operation: Encode = (value) => {
  const message = new ProtobufMessage()
    .texts(1, memberOf(value, "tags"))
    .text(3, memberOf(value, "description"))
    .text(5, memberOf(value, "operationId"))
    .texts(6, memberOf(value, "produces"))
    .texts(7, memberOf(value, "consumes"));
  parameters(message, 8, value);
  message
    .message(
      9,
      part(value, "responses", (all) => named(all, 1, responseValue)),
    )
    .texts(10, memberOf(value, "schemes"));
  return extensions(message, 13, value);
};

function parameters(message: ProtobufMessage, number: number, owner: JsonObject): void {
  const list = memberOf(owner, "parameters");
  if (!Array.isArray(list)) return;
  for (const item of list) {
    if (isJsonObject(item)) message.message(number, new ProtobufMessage().message(1, parameter(item)));
  }
}

const parameter: Encode = (value) => {
  const place = memberOf(value, "in");
  if (place === "body") return new ProtobufMessage().message(1, bodyParameter(value));
  const inner = new ProtobufMessage();
  if (place === "path") inner.message(4, pathParameter(value));
  else inner.message(3, queryParameter(value));
  return new ProtobufMessage().message(2, inner);
};

const bodyParameter: Encode = (value) =>
  new ProtobufMessage()
    .text(1, memberOf(value, "description"))
    .text(2, memberOf(value, "name"))
    .text(3, memberOf(value, "in"))
    .flag(4, memberOf(value, "required"))
    .message(5, part(value, "schema", schema));

const pathParameter: Encode = (value) =>
  new ProtobufMessage()
    .flag(1, memberOf(value, "required"))
    .text(2, memberOf(value, "in"))
    .text(3, memberOf(value, "description"))
    .text(4, memberOf(value, "name"))
    .text(5, memberOf(value, "type"))
    .flag(19, memberOf(value, "uniqueItems"));

const queryParameter: Encode = (value) =>
  new ProtobufMessage()
    .flag(1, memberOf(value, "required"))
    .text(2, memberOf(value, "in"))
    .text(3, memberOf(value, "description"))
    .text(4, memberOf(value, "name"))
    .text(6, memberOf(value, "type"))
    .flag(20, memberOf(value, "uniqueItems"));

const responseValue: Encode = (value) => {
  const response = new ProtobufMessage().text(1, memberOf(value, "description"));
  const body = part(value, "schema", schema);
  if (body !== undefined) response.message(2, new ProtobufMessage().message(1, body));
  return new ProtobufMessage().message(1, response);
};

const schema: Encode = (value) => {
  const message = new ProtobufMessage()
    .text(1, memberOf(value, "$ref"))
    .text(2, memberOf(value, "format"))
    .text(4, memberOf(value, "description"));
  const fallback = memberOf(value, "default");
  if (fallback !== undefined) message.message(5, any(fallback));
  message.texts(19, memberOf(value, "required"));
  const values = memberOf(value, "enum");
  if (Array.isArray(values)) for (const one of values) message.message(20, any(one));
  const rest = part(value, "additionalProperties", schema);
  if (rest !== undefined) message.message(21, new ProtobufMessage().message(1, rest));
  const type = memberOf(value, "type");
  if (typeof type === "string") message.message(22, new ProtobufMessage().text(1, type));
  const items = part(value, "items", schema);
  if (items !== undefined) message.message(23, new ProtobufMessage().message(1, items));
  message.message(
    25,
    part(value, "properties", (all) => named(all, 1, schema)),
  );
  return extensions(message, 31, value);
};
