import { badRequest, invalid } from "../../../lib/core/status-error.ts";
import type { ManagedFieldsEntry } from "../../../lib/gen/k8s/meta/v1.ts";
import { applyConfiguration, type ManagedWrite, trackUpdate } from "../../../lib/resource/apply/apply-configuration.ts";
import { ApplyError } from "../../../lib/resource/apply/apply-error.ts";
import type { Codec, Decoded as CodecDecoded } from "../../../lib/resource/codec/codec.ts";
import { parseText, scanText } from "../../../lib/resource/codec/json-text.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../lib/resource/json-value.ts";
import { apiVersionOf } from "./kind-table.ts";
import { type KubeObject, metaOf } from "./kube-object.ts";
import type { WriterNote } from "./machinery.ts";
import type { PatchBody, Target } from "./request.ts";

const MAX_DEPTH = 100;

/** Server-side apply, and the record of who owns which field of objects that somebody has applied. */
export class ManagedWrites {
  readonly #codec: Codec;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** What an apply makes of the object, or of nothing; the record of fields is in its metadata. */
  apply(target: Target, current: KubeObject | undefined, body: PatchBody, note: WriterNote): CodecDecoded {
    if (note.manager === "") {
      const message = "Required value: is required for apply patch";
      const cause = { reason: "FieldValueRequired", message, field: "fieldManager" };
      throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [cause]);
    }
    const { schema } = target.kind.definition;
    const { config, duplicateFields } = this.#configOf(body);
    checkType(target, config);
    const { unknownFields } = this.#codec.normalize(schema, config);
    const write = { ...writeOf(target, note), force: note.force };
    const live = current === undefined ? undefined : this.#jsonOf(target, current);
    try {
      const { object, managedFields } = applyConfiguration(live, recordOf(current), config, write);
      const { object: applied } = this.#codec.normalize(schema, object);
      metaOf(applied).managedFields = managedFields;
      return { object: applied, unknownFields, duplicateFields };
    } catch (error) {
      if (error instanceof ApplyError) throw badRequest(error.message);
      throw error;
    }
  }

  /** Brings the record up to date after an ordinary write; objects that nobody has applied have none. */
  track(target: Target, object: KubeObject, old: KubeObject, note: WriterNote): void {
    const meta = metaOf(object);
    const record = meta.managedFields === undefined ? recordOf(old) : recordOf(object);
    const kept = record.filter((entry) => entry.manager !== undefined);
    if (kept.length === 0) {
      delete meta.managedFields;
      return;
    }
    const write = { ...writeOf(target, note), ignoredPaths: [] };
    meta.managedFields = trackUpdate(this.#jsonOf(target, old), this.#jsonOf(target, object), kept, write);
  }

  /** The media type says YAML, but clients send JSON as such. */
  #configOf({ patch }: PatchBody): { config: JsonObject; duplicateFields: readonly string[] } {
    const { value, duplicateFields } =
      patch instanceof Uint8Array ? this.#codec.readYaml(patch) : { value: patch.value, duplicateFields: [] };
    if (!isJsonObject(value)) throw badRequest("error decoding YAML: what is applied must be an object");
    return { config: value as JsonObject & JsonValue, duplicateFields };
  }

  #jsonOf(target: Target, object: KubeObject): JsonObject {
    const text = this.#codec.encodeJson(target.kind.definition.schema, object);
    return parseText(text, scanText(text, MAX_DEPTH).needsCare) as JsonObject;
  }
}

function recordOf(object: KubeObject | undefined): ManagedFieldsEntry[] {
  return (object?.metadata?.managedFields ?? []) as ManagedFieldsEntry[];
}

function writeOf(target: Target, { manager, time }: WriterNote): ManagedWrite {
  const { definition } = target.kind;
  const { subresource } = target;
  const ignoredPaths = subresource === "status" ? ["spec"] : definition.hasStatus ? ["status"] : [];
  return { schema: definition.schema, manager, apiVersion: apiVersionOf(definition), subresource, time, ignoredPaths };
}

/** An apply may make the object, so it must say what it is. */
function checkType(target: Target, config: JsonObject): void {
  const { definition } = target.kind;
  const expected = apiVersionOf(definition);
  if (config["apiVersion"] === expected && config["kind"] === definition.kind) return;
  throw badRequest(`what is applied must be of apiVersion ${expected} and kind ${definition.kind}`);
}
