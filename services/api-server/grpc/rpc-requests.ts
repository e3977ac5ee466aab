import type { Fence } from "../../../lib/client/api-client.ts";
import { badRequest, pageNotFound } from "../../../lib/core/status-error.ts";
import {
  type ApplyRequest,
  type DeleteOptions,
  Encoding,
  FieldValidation,
  type PatchRequest,
  PatchType,
  PropagationPolicy,
  ResourceVersionMatch,
  type Fence as RpcFence,
  type Object as RpcObject,
  type Target as RpcTarget,
  type WriteOptions as RpcWriteOptions,
  type Selectors,
} from "../../../lib/gen/keelson/api/v1/resources.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { Body, DeleteRequest, PatchBody, SelectorTexts, Target, WriteOptions } from "../core/request.ts";
import { isSafeName } from "../core/safe-name.ts";

/** Messages of `keelson.api.v1` in the core's terms. */
export function targetOf(kinds: KindTable, target: RpcTarget | undefined): Target {
  if (target === undefined) throw badRequest("the request has no target");
  const kind = kinds.find(target.group, target.version, target.resource);
  if (kind === undefined) throw pageNotFound();
  const { namespace, name, subresource } = target;
  for (const part of [namespace, name]) if (part !== "" && !isSafeName(part)) throw pageNotFound();
  if (!kind.definition.namespaced && namespace !== "") throw pageNotFound();
  return { kind, namespace, name, subresource };
}

/** A target that must name one object. */
export function objectTargetOf(kinds: KindTable, target: RpcTarget | undefined): Target {
  const found = targetOf(kinds, target);
  if (found.name === "") throw badRequest("the target has no name");
  if (found.kind.definition.namespaced && found.namespace === "") throw badRequest("the target has no namespace");
  return found;
}

/** A target where an object can be made. */
export function createTargetOf(kinds: KindTable, target: RpcTarget | undefined): Target {
  const found = targetOf(kinds, target);
  if (found.kind.definition.namespaced && found.namespace === "") throw badRequest("the target has no namespace");
  return found;
}

export function bodyOf(object: RpcObject | undefined): Body {
  if (object === undefined) throw badRequest("the request has no object");
  switch (object.encoding) {
    case Encoding.ENCODING_JSON:
      return { bytes: object.data, encoding: "json" };
    case Encoding.ENCODING_YAML:
      return { bytes: object.data, encoding: "yaml" };
    case Encoding.ENCODING_PROTOBUF:
    case Encoding.ENCODING_UNSPECIFIED:
      return { bytes: object.data, encoding: "protobuf" };
    default:
      throw badRequest("the encoding of the object is not known");
  }
}

export function answerEncodingOf(encoding: Encoding | undefined): Encoding {
  if (encoding === Encoding.ENCODING_JSON) return Encoding.ENCODING_JSON;
  const isProtobuf = encoding === undefined || encoding === Encoding.ENCODING_UNSPECIFIED;
  if (isProtobuf || encoding === Encoding.ENCODING_PROTOBUF) return Encoding.ENCODING_PROTOBUF;
  throw badRequest("answers are JSON or protobuf");
}

export function fenceOf(fence: RpcFence | undefined): { fence?: Fence } {
  if (fence === undefined) return {};
  const { namespace, name, holder, transitions } = fence;
  return { fence: { namespace, name, holder, transitions } };
}

export function writeOptionsOf(options: RpcWriteOptions | undefined): WriteOptions {
  const validations = {
    [FieldValidation.FIELD_VALIDATION_UNSPECIFIED]: "Warn",
    [FieldValidation.FIELD_VALIDATION_WARN]: "Warn",
    [FieldValidation.FIELD_VALIDATION_IGNORE]: "Ignore",
    [FieldValidation.FIELD_VALIDATION_STRICT]: "Strict",
  } as const;
  const asked = options?.fieldValidation ?? FieldValidation.FIELD_VALIDATION_UNSPECIFIED;
  if (asked === FieldValidation.UNRECOGNIZED || !(asked in validations))
    throw badRequest("field_validation is not known");
  return {
    dryRun: options?.dryRun ?? false,
    fieldValidation: validations[asked],
    ...managerOf(options),
    ...fenceOf(options?.fence),
  };
}

function managerOf(options: RpcWriteOptions | undefined): { readonly fieldManager?: string } {
  const fieldManager = options?.fieldManager ?? "";
  return fieldManager === "" ? {} : { fieldManager };
}

export function patchOf(request: PatchRequest): PatchBody {
  const types: Partial<Record<PatchType, PatchBody["type"]>> = {
    [PatchType.PATCH_TYPE_JSON]: "json",
    [PatchType.PATCH_TYPE_MERGE]: "merge",
    [PatchType.PATCH_TYPE_STRATEGIC_MERGE]: "strategic",
  };
  const type = types[request.type];
  if (type === undefined) throw badRequest("the type of the patch is not known");
  return { type, patch: request.patch };
}

/** What is applied must be readable as it was written: which fields it names matters. */
export function applyOf({ object }: ApplyRequest): PatchBody {
  if (object === undefined) throw badRequest("the request has no object");
  if (object.encoding !== Encoding.ENCODING_JSON && object.encoding !== Encoding.ENCODING_YAML) {
    throw badRequest("what is applied must be JSON or YAML");
  }
  return { type: "apply", patch: object.data };
}

export function applyOptionsOf({ options, force }: ApplyRequest): WriteOptions {
  return { ...writeOptionsOf(options), force };
}

export function deleteRequestOf(options: DeleteOptions | undefined): DeleteRequest {
  if (options === undefined) return { dryRun: false };
  const policies: Partial<Record<PropagationPolicy, NonNullable<DeleteRequest["propagationPolicy"]>>> = {
    [PropagationPolicy.PROPAGATION_POLICY_ORPHAN]: "Orphan",
    [PropagationPolicy.PROPAGATION_POLICY_BACKGROUND]: "Background",
    [PropagationPolicy.PROPAGATION_POLICY_FOREGROUND]: "Foreground",
  };
  const policy = policies[options.propagationPolicy];
  const { gracePeriodSeconds, preconditions } = options;
  return {
    dryRun: options.dryRun,
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: Number(gracePeriodSeconds) }),
    ...(preconditions?.uid === undefined ? {} : { uid: preconditions.uid }),
    ...(preconditions?.resourceVersion === undefined ? {} : { resourceVersion: preconditions.resourceVersion }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...fenceOf(options.fence),
  };
}

export function selectorsOf(selectors: Selectors | undefined): SelectorTexts {
  return { label: selectors?.label ?? "", field: selectors?.field ?? "" };
}

export function matchTextOf(match: ResourceVersionMatch): string {
  if (match === ResourceVersionMatch.RESOURCE_VERSION_MATCH_EXACT) return "Exact";
  return match === ResourceVersionMatch.RESOURCE_VERSION_MATCH_NOT_OLDER_THAN ? "NotOlderThan" : "";
}
