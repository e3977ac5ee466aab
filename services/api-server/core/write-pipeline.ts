import { type Clock, formatTime } from "../../../lib/core/clock.ts";
import type { Random } from "../../../lib/core/random.ts";
import { badRequest, conflict, invalid, OBJECT_MODIFIED, type StatusCause } from "../../../lib/core/status-error.ts";
import type { AdmissionChain } from "../admission/admission.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import type { StrategyContext } from "../strategy/strategy.ts";
import { copyOf, type KubeMeta, type KubeObject, metaOf, sameValue, valueAt } from "./kube-object.ts";
import type { Decoded, Machinery, WriterNote } from "./machinery.ts";
import type { Call, Target, WriteOptions } from "./request.ts";

/** Views of an object whose writes change its status alone. */
const STATUS_SUBRESOURCES: ReadonlySet<string> = new Set(["status", "approval"]);

/** The steps that every write of an object goes through, in the order of the design. */
export class WritePipeline {
  readonly #machinery: Machinery;
  readonly #admission: AdmissionChain;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(components: { machinery: Machinery; admission: AdmissionChain; clock: Clock; random: Random }) {
    this.#machinery = components.machinery;
    this.#admission = components.admission;
    this.#clock = components.clock;
    this.#random = components.random;
  }

  /** Answers unknown and duplicate fields as the client asked. */
  accept(decoded: Decoded, options: WriteOptions, call: Call): KubeObject {
    if (decoded.problems.length > 0 && options.fieldValidation === "Strict") {
      throw badRequest(`strict decoding error: ${decoded.problems.join(", ")}`);
    }
    if (options.fieldValidation === "Warn") call.warnings.push(...decoded.problems);
    return decoded.object;
  }

  /** Makes an object ready to be stored as a new one. */
  async forCreate(object: KubeObject, target: Target, call: Call, options: WriteOptions): Promise<KubeObject> {
    const { definition, strategy } = target.kind;
    checkPlace(object, target);
    const meta = metaOf(object);
    if (meta.resourceVersion !== undefined && meta.resourceVersion !== "0") {
      throw badRequest("resourceVersion should not be set on objects to be created");
    }
    if ((meta.name ?? "") === "" && (meta.generateName ?? "") !== "") {
      meta.name = generatedName(meta.generateName!, this.#random);
    }
    resetSystemMeta(meta);
    meta.uid = this.#random.uuid();
    meta.creationTimestamp = formatTime(this.#clock.nowMs());
    if (definition.generationPaths.length > 0) meta.generation = 1;
    if (definition.initialStatus !== undefined) object["status"] = copyOf(definition.initialStatus);
    this.#machinery.applyDefaults(target.kind, object);
    strategy.prepareCreate?.(object, this.#strategyContext(target, call));
    const request = { operation: "CREATE" as const, target, call, object, old: undefined, dryRun: options.dryRun };
    await this.#admission.mutate(request);
    refuseInvalid(target, object, this.#machinery.validateCreate(target.kind, object));
    await this.#admission.validate(request);
    return object;
  }

  /** Makes `wanted` (owned by the pipeline from here on) ready to replace the stored object. */
  async forUpdate(
    wanted: KubeObject,
    current: CachedObject,
    target: Target,
    call: Call,
    options: WriteOptions,
    isApply = false,
  ): Promise<KubeObject> {
    const { strategy } = target.kind;
    const old = current.object(target.kind);
    checkPlace(wanted, target);
    checkRevision(wanted, current, target);
    const isStatus = STATUS_SUBRESOURCES.has(target.subresource);
    const object = isStatus ? withStatusOf(old, wanted) : wanted;
    carryMeta(metaOf(object), old.metadata ?? {});
    this.#machinery.applyDefaults(target.kind, object);
    if (isStatus) {
      strategy.prepareStatusUpdate?.(object, old, this.#strategyContext(target, call));
    } else {
      if (target.kind.definition.hasStatus) putBack(object, old, "status");
      if (target.subresource === "") strategy.prepareUpdate?.(object, old);
      if (target.subresource !== "finalize") raiseGeneration(object, old, target.kind.definition.generationPaths);
    }
    const request = { operation: "UPDATE" as const, target, call, object, old, dryRun: options.dryRun };
    await this.#admission.mutate(request);
    if (!isApply) this.#machinery.trackManagers(target, object, old, this.writerNote(options, call));
    refuseInvalid(target, object, this.#machinery.validateUpdate(target.kind, object, old, target.subresource));
    await this.#admission.validate(request);
    return object;
  }

  #strategyContext(target: Target, call: Call): StrategyContext {
    return { nowMs: this.#clock.nowMs(), identity: call.identity, subresource: target.subresource };
  }

  /** An ordinary write without a manager's name is the user's. */
  writerNote(options: WriteOptions, call: Call, isApply = false): WriterNote {
    const manager = options.fieldManager ?? (isApply ? "" : call.identity.user);
    return { manager, time: formatTime(this.#clock.nowMs()), force: options.force ?? false };
  }

  /** For subresources with objects of their own, which are not stored. */
  async admitSubresource(object: KubeObject, target: Target, call: Call, dryRun: boolean): Promise<void> {
    const request = { operation: "CREATE" as const, target, call, object, old: undefined, dryRun };
    await this.#admission.mutate(request);
    await this.#admission.validate(request);
  }

  async admitDelete(old: KubeObject, target: Target, call: Call, dryRun: boolean): Promise<void> {
    const request = { operation: "DELETE" as const, target, call, object: undefined, old, dryRun };
    await this.#admission.mutate(request);
    await this.#admission.validate(request);
  }
}

const NAME_LIMIT = 63;
const SUFFIX_LENGTH = 5;

function generatedName(base: string, random: Random): string {
  return `${base.slice(0, NAME_LIMIT - SUFFIX_LENGTH)}${random.suffix(SUFFIX_LENGTH)}`;
}

/** Name and namespace in the body must be those of the request; absent ones are filled in. */
export function checkPlace(object: KubeObject, target: Target): void {
  const meta = metaOf(object);
  const { definition } = target.kind;
  if (definition.namespaced) {
    if ((meta.namespace ?? "") === "") meta.namespace = target.namespace;
    if (meta.namespace !== target.namespace) {
      throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
    }
  } else if ((meta.namespace ?? "") !== "") {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (target.name === "") return;
  if ((meta.name ?? "") === "") meta.name = target.name;
  if (meta.name !== target.name) {
    throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${target.name})`);
  }
}

function resetSystemMeta(meta: KubeMeta): void {
  delete meta.resourceVersion;
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete meta.generation;
  delete meta.selfLink;
}

function checkRevision(wanted: KubeObject, current: CachedObject, target: Target): void {
  const { definition } = target.kind;
  const named = { group: definition.group, resource: definition.resource };
  const meta = metaOf(wanted);
  const version = meta.resourceVersion ?? "";
  if (version === "" || version === "0") {
    if (definition.conditionalUpdate) {
      const message = "Invalid value: 0: must be specified for an update";
      refuseInvalid(target, wanted, [{ reason: "FieldValueInvalid", message, field: "metadata.resourceVersion" }]);
    }
  } else if (!/^[0-9]+$/.test(version)) {
    throw badRequest(`invalid resource version ${JSON.stringify(version)}`);
  } else if (version !== String(current.revision)) {
    throw conflict(named, target.name, OBJECT_MODIFIED);
  }
  const uid = current.object().metadata?.uid;
  if (meta.uid !== undefined && meta.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${uid}`;
    throw conflict(named, target.name, why);
  }
}

/** What only the system writes is taken from the stored object, unless the client sent a value that validation can refuse. */
function carryMeta(meta: KubeMeta, old: KubeMeta): void {
  delete meta.resourceVersion;
  if (old.uid !== undefined) meta.uid ??= old.uid;
  if (old.creationTimestamp !== undefined) meta.creationTimestamp ??= old.creationTimestamp;
  if (old.deletionTimestamp !== undefined) {
    meta.deletionTimestamp ??= old.deletionTimestamp;
    if (old.deletionGracePeriodSeconds !== undefined) {
      meta.deletionGracePeriodSeconds ??= old.deletionGracePeriodSeconds;
    }
  } else {
    delete meta.deletionTimestamp;
    delete meta.deletionGracePeriodSeconds;
  }
  if (old.generation === undefined) delete meta.generation;
  else meta.generation = old.generation;
  if (old.generateName !== undefined) meta.generateName ??= old.generateName;
  delete meta.selfLink;
}

/** The stored object with the status (and the metadata) that was sent. */
function withStatusOf(old: KubeObject, wanted: KubeObject): KubeObject {
  const object = copyOf(old);
  if (wanted["status"] === undefined) delete object["status"];
  else object["status"] = wanted["status"];
  if (wanted.metadata !== undefined) object.metadata = wanted.metadata;
  return object;
}

function putBack(object: KubeObject, old: KubeObject, member: string): void {
  if (old[member] === undefined) delete object[member];
  else object[member] = old[member];
}

function raiseGeneration(object: KubeObject, old: KubeObject, paths: readonly string[]): void {
  const changed = paths.some((path) => {
    const members = path.split(".");
    return !sameValue(valueAt(object, ...members), valueAt(old, ...members));
  });
  if (changed) metaOf(object).generation = Number(old.metadata?.generation ?? 0) + 1;
}

function refuseInvalid(target: Target, object: KubeObject, causes: readonly StatusCause[]): void {
  if (causes.length === 0) return;
  const { definition } = target.kind;
  throw invalid({ group: definition.group, kind: definition.kind }, object.metadata?.name ?? "", causes);
}
