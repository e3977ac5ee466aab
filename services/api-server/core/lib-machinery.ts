import { isUtf8 } from "node:buffer";
import {
  badRequest,
  invalid,
  requestEntityTooLarge,
  type StatusCause,
  StatusError,
} from "../../../lib/core/status-error.ts";
import type { Codec, Decoded as CodecDecoded } from "../../../lib/resource/codec/codec.ts";
import { BodyTooLargeError, DecodeError } from "../../../lib/resource/codec/decode-error.ts";
import { duplicateFields } from "../../../lib/resource/codec/duplicate-fields.ts";
import { parseText, scanText } from "../../../lib/resource/codec/json-text.ts";
import { applyDefaults } from "../../../lib/resource/defaulting/apply-defaults.ts";
import type { JsonObject, JsonValue } from "../../../lib/resource/json-value.ts";
import { applyJsonPatch } from "../../../lib/resource/patch/json-patch.ts";
import { applyMergePatch } from "../../../lib/resource/patch/merge-patch.ts";
import { PatchError } from "../../../lib/resource/patch/patch-error.ts";
import { applyStrategicMergePatch } from "../../../lib/resource/patch/strategic-merge-patch.ts";
import type { Registry } from "../../../lib/resource/registry.ts";
import type { MessageSchema } from "../../../lib/resource/schema.ts";
import { validateCreate, validateUpdate } from "../../../lib/resource/validation/validate.ts";
import { apiVersionOf } from "./kind-table.ts";
import type { KubeObject } from "./kube-object.ts";
import type { Decoded, DeleteOptionsObject, Machinery, WriterNote } from "./machinery.ts";
import { ManagedWrites } from "./managed-writes.ts";
import type { Body, PatchBody, Target } from "./request.ts";
import type { ServedKind } from "./stored-kind.ts";

const MAX_DEPTH = 100;

/** lib/resource as the core wants it: one door, errors as Status. */
export class LibMachinery implements Machinery {
  readonly #codec: Codec;
  readonly #managedWrites: ManagedWrites;

  readonly #deleteOptions: MessageSchema;

  constructor(codec: Codec, registry: Registry) {
    this.#codec = codec;
    this.#managedWrites = new ManagedWrites(codec);
    const deleteOptions = registry.schemaOfKind("", "v1", "DeleteOptions");
    if (deleteOptions === undefined) throw new Error("the registry lacks DeleteOptions");
    this.#deleteOptions = deleteOptions;
  }

  decodeDeleteOptions(body: Body): DeleteOptionsObject {
    try {
      return this.#decodeBody(this.#deleteOptions, body, () => {}).object;
    } catch (error) {
      if (error instanceof DecodeError) throw badRequest(`DeleteOptions cannot be read: ${error.message}`);
      throw error;
    }
  }

  decode(kind: ServedKind, body: Body): Decoded {
    const check = (apiVersion: string, name: string): void => checkType(kind, apiVersion, name);
    return told(kind, () => this.#checked(kind, this.#decodeBody(kind.definition.schema, body, check)));
  }

  applyDefaults(kind: ServedKind, object: KubeObject): void {
    applyDefaults(kind.definition.schema, object);
  }

  patch(kind: ServedKind, current: KubeObject, body: PatchBody): Decoded {
    const schema = kind.definition.schema;
    const before = parsed(this.#codec.encodeJson(schema, current)) as JsonObject;
    const { value, duplicateFields } = body.patch instanceof Uint8Array ? patchOf(body.patch) : inMemory(body.patch);
    return told(kind, () => {
      const after = apply(before, value, body.type, kind);
      return this.#checked(kind, { ...this.#codec.normalize(schema, after), duplicateFields });
    });
  }

  apply(target: Target, current: KubeObject | undefined, body: PatchBody, note: WriterNote): Decoded {
    return told(target.kind, () => this.#checked(target.kind, this.#managedWrites.apply(target, current, body, note)));
  }

  trackManagers(target: Target, object: KubeObject, old: KubeObject, note: WriterNote): void {
    this.#managedWrites.track(target, object, old, note);
  }

  validateCreate(kind: ServedKind, object: KubeObject): readonly StatusCause[] {
    return validateCreate(kind.definition, object as never);
  }

  validateUpdate(kind: ServedKind, object: KubeObject, old: KubeObject, subresource: string): readonly StatusCause[] {
    return validateUpdate(kind.definition, object as never, old as never, subresource);
  }

  #decodeBody(schema: MessageSchema, body: Body, check: (apiVersion: string, kind: string) => void): CodecDecoded {
    if ("object" in body) return this.#codec.normalize(schema, body.object);
    if (body.encoding === "json") return this.#codec.decodeJson(schema, body.bytes);
    if (body.encoding === "yaml") return this.#codec.decodeYaml(schema, body.bytes);
    const { apiVersion, kind: name, raw } = this.#codec.decodeEnvelope(body.bytes);
    check(apiVersion, name);
    return this.#codec.decodeProtobuf(schema, raw, { apiVersion, kind: name });
  }

  #checked(kind: ServedKind, decoded: CodecDecoded): Decoded {
    const object: KubeObject = decoded.object;
    checkType(kind, object.apiVersion ?? "", object.kind ?? "");
    object.apiVersion = apiVersionOf(kind.definition);
    object.kind = kind.definition.kind;
    const unknown = decoded.unknownFields.map((path) => `unknown field ${JSON.stringify(path)}`);
    const duplicate = decoded.duplicateFields.map((path) => `duplicate field ${JSON.stringify(path)}`);
    return { object, problems: [...unknown, ...duplicate] };
  }
}

function checkType(kind: ServedKind, apiVersion: string, name: string): void {
  const { definition } = kind;
  const expected = apiVersionOf(definition);
  if (name !== "" && name !== definition.kind) {
    throw badRequest(`${name} in version ${JSON.stringify(apiVersion)} cannot be handled as a ${definition.kind}`);
  }
  if (apiVersion !== "" && apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
}

function apply(before: JsonObject, patch: JsonValue, type: PatchBody["type"], kind: ServedKind): JsonObject {
  if (type === "json") return applyJsonPatch(before, patch);
  if (type === "merge") return applyMergePatch(before, patch);
  return applyStrategicMergePatch(before, patch, kind.definition.schema);
}

interface Patch {
  readonly value: JsonValue;
  readonly duplicateFields: readonly string[];
}

function inMemory(patch: { readonly value: unknown }): Patch {
  return { value: patch.value as JsonValue, duplicateFields: [] };
}

function patchOf(bytes: Uint8Array): Patch {
  try {
    if (!isUtf8(bytes)) throw new DecodeError("invalid UTF-8");
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    return { value: parsed(text), duplicateFields: duplicateFields(text) };
  } catch (error) {
    if (error instanceof DecodeError) throw badRequest(`error decoding patch: ${error.message}`);
    throw error;
  }
}

function parsed(text: string): JsonValue {
  const { needsCare } = scanText(text, MAX_DEPTH);
  return parseText(text, needsCare) as JsonValue;
}

function told<T>(kind: ServedKind, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { definition } = kind;
    if (error instanceof BodyTooLargeError) throw requestEntityTooLarge(error.message);
    if (error instanceof DecodeError) {
      const version = JSON.stringify(apiVersionOf(definition));
      throw badRequest(
        `${definition.kind} in version ${version} cannot be handled as a ${definition.kind}: ${error.message}`,
      );
    }
    if (!(error instanceof PatchError)) throw error;
    if (error.kind === "malformed") throw badRequest(error.message);
    if (error.kind === "too-large") throw new StatusError(413, "RequestEntityTooLarge", error.message);
    throw invalid({ group: definition.group, kind: definition.kind }, "", [
      { reason: "FieldValueInvalid", message: error.message, field: "patch" },
    ]);
  }
}
