import { invalid, notFound } from "../../../lib/core/status-error.ts";
import { labelSelectorFromMap, labelSelectorFromObject } from "../../../lib/resource/selector/label-selector.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import { type Answer, plainView } from "../core/answer.ts";
import type { Committer } from "../core/committer.ts";
import { copyOf, isRecord, type KubeObject, metaOf, structAt, valueAt } from "../core/kube-object.ts";
import type { Machinery } from "../core/machinery.ts";
import type { Reader } from "../core/reader.ts";
import type { Body, Call, PatchBody, Target, WriteOptions } from "../core/request.ts";
import { commitOptions, type ResourceCore, type SubresourceHandler } from "../core/resource-core.ts";
import type { ServedKind } from "../core/stored-kind.ts";
import { checkPlace } from "../core/write-pipeline.ts";

/** `…/scale`: the number of replicas of a workload, in one form for all kinds that have one. */
export class Scale implements SubresourceHandler {
  readonly #core: ResourceCore;
  readonly #committer: Committer;
  readonly #reader: Reader;
  readonly #machinery: Machinery;
  readonly #kind: ServedKind;

  constructor(components: {
    core: ResourceCore;
    committer: Committer;
    reader: Reader;
    machinery: Machinery;
    kind: ServedKind;
  }) {
    this.#core = components.core;
    this.#committer = components.committer;
    this.#reader = components.reader;
    this.#machinery = components.machinery;
    this.#kind = components.kind;
  }

  async get(target: Target): Promise<Answer> {
    const object = await this.#reader.get(target, "");
    return { code: 200, view: plainView(scaleOf(object.object(target.kind)), this.#kind) };
  }

  async update(target: Target, body: Body, options: WriteOptions, call: Call): Promise<Answer> {
    const scale = this.#machinery.decode(this.#kind, body).object;
    checkPlace(scale, target);
    return await this.#write(target, () => scale, options, call);
  }

  async patch(target: Target, body: PatchBody, options: WriteOptions, call: Call): Promise<Answer> {
    const scaled = (current: KubeObject): KubeObject =>
      this.#machinery.patch(this.#kind, scaleOf(current), body).object;
    return await this.#write(target, scaled, options, call);
  }

  async #write(
    target: Target,
    scaled: (current: KubeObject) => KubeObject,
    options: WriteOptions,
    call: Call,
  ): Promise<Answer> {
    const parent: Target = { ...target, subresource: "" };
    const wanted = (current: CachedObject | undefined): KubeObject => {
      const { group, resource } = target.kind.definition;
      if (current === undefined) throw notFound({ group, resource }, target.name);
      const old = current.object(target.kind);
      const scale = scaled(old);
      const replicas = Number(valueAt(scale, "spec", "replicas") ?? 0);
      checkReplicas(replicas, target.name);
      const object = copyOf(old);
      structAt(object, "spec")["replicas"] = replicas;
      const meta = metaOf(object);
      const asked = scale.metadata?.resourceVersion;
      if (asked === undefined) delete meta.resourceVersion;
      else meta.resourceVersion = asked;
      if (scale.metadata?.uid !== undefined) meta.uid = scale.metadata.uid;
      return object;
    };
    const plan = this.#core.plans.update(parent, wanted, options, call);
    const [outcome] = await this.#committer.commit([plan], commitOptions(options, call));
    const object = outcome?.type === "dry-run" ? outcome.object : outcome?.after?.object(target.kind);
    return { code: 200, view: plainView(scaleOf(object ?? {}), this.#kind) };
  }
}

function checkReplicas(replicas: number, name: string): void {
  if (Number.isSafeInteger(replicas) && replicas >= 0) return;
  const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
  throw invalid({ group: "autoscaling", kind: "Scale" }, name, [
    { reason: "FieldValueInvalid", message, field: "spec.replicas" },
  ]);
}

function scaleOf(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  const metadata = Object.fromEntries(
    Object.entries({ name, namespace, uid, resourceVersion, creationTimestamp }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const replicas = Number(valueAt(object, "spec", "replicas") ?? 0);
  const present = Number(valueAt(object, "status", "replicas") ?? 0);
  const selector = selectorText(valueAt(object, "spec", "selector"));
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata,
    ...(replicas === 0 ? {} : { spec: { replicas } }),
    status: { ...(present === 0 ? {} : { replicas: present }), ...(selector === "" ? {} : { selector }) },
  };
}

function selectorText(selector: unknown): string {
  if (!isRecord(selector)) return "";
  if (isRecord(selector["matchLabels"]) || Array.isArray(selector["matchExpressions"])) {
    return labelSelectorFromObject(selector).toString();
  }
  return labelSelectorFromMap(selector as Record<string, string>).toString();
}
