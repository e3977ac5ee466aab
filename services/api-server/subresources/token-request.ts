import { type Clock, formatTime } from "../../../lib/core/clock.ts";
import { badRequest, conflict, invalid, notFound } from "../../../lib/core/status-error.ts";
import type { CachedReads } from "../admission/cached-reads.ts";
import type { ServiceAccountTokens, TokenSubject } from "../auth/service-account-tokens.ts";
import { type Answer, plainView } from "../core/answer.ts";
import { copyOf, isRecord, structAt, textAt, valueAt } from "../core/kube-object.ts";
import type { Machinery } from "../core/machinery.ts";
import type { Body, Call, Target, WriteOptions } from "../core/request.ts";
import type { SubresourceHandler } from "../core/resource-core.ts";
import type { ServedKind } from "../core/stored-kind.ts";
import type { WritePipeline } from "../core/write-pipeline.ts";

const MIN_SECONDS = 600;
const DEFAULT_SECONDS = 3600;
/** The longest life that is given, whatever was asked: an hour, and the seconds that upstream's projected volumes ask on top. */
const MAX_SECONDS = 3607;

/** `serviceaccounts/NAME/token`: a signed token for an account, bound to a pod if one is named. */
export class TokenRequests implements SubresourceHandler {
  readonly #machinery: Machinery;
  readonly #pipeline: WritePipeline;
  readonly #tokens: ServiceAccountTokens;
  readonly #reads: CachedReads;
  readonly #clock: Clock;
  readonly #kind: ServedKind;

  constructor(components: {
    machinery: Machinery;
    pipeline: WritePipeline;
    tokens: ServiceAccountTokens;
    reads: CachedReads;
    clock: Clock;
    kind: ServedKind;
  }) {
    this.#machinery = components.machinery;
    this.#pipeline = components.pipeline;
    this.#tokens = components.tokens;
    this.#reads = components.reads;
    this.#clock = components.clock;
    this.#kind = components.kind;
  }

  async create(target: Target, body: Body, options: WriteOptions, call: Call): Promise<Answer> {
    const request = copyOf(this.#pipeline.accept(this.#machinery.decode(this.#kind, body), options, call));
    await this.#pipeline.admitSubresource(request, target, call, options.dryRun);
    const { namespace, name } = target;
    const account = await this.#reads.find("serviceaccounts", namespace, name);
    if (account === undefined) throw notFound({ group: "", resource: "serviceaccounts" }, name);
    const seconds = Number(valueAt(request, "spec", "expirationSeconds") ?? DEFAULT_SECONDS);
    if (seconds < MIN_SECONDS) {
      const message = `Invalid value: ${seconds}: may not specify a duration less than 10 minutes`;
      const cause = { reason: "FieldValueInvalid", message, field: "spec.expirationSeconds" };
      throw invalid({ group: "authentication.k8s.io", kind: "TokenRequest" }, "", [cause]);
    }
    const lifeSeconds = Math.min(seconds, MAX_SECONDS);
    const asked = valueAt(request, "spec", "audiences");
    const audiences = Array.isArray(asked) && asked.length > 0 ? asked.map(String) : [this.#tokens.apiAudience];
    const subject = await this.#subject(request, { namespace, name, uid: account.metadata?.uid ?? "" });
    const expiresMs = this.#clock.nowMs() + lifeSeconds * 1000;
    const token = await this.#tokens.sign(subject, audiences, lifeSeconds);
    request.metadata = { ...request.metadata, name, namespace, creationTimestamp: formatTime(this.#clock.nowMs()) };
    Object.assign(structAt(request, "spec"), { audiences, expirationSeconds: lifeSeconds });
    request["status"] = { token, expirationTimestamp: formatTime(expiresMs) };
    return { code: 201, view: plainView(request, this.#kind) };
  }

  async #subject(request: object, account: TokenSubject): Promise<TokenSubject> {
    const reference = valueAt(request, "spec", "boundObjectRef");
    if (!isRecord(reference)) return account;
    const kind = textAt(reference, "kind");
    if (kind !== "Pod")
      throw badRequest(`cannot bind token to object of type ${textAt(reference, "apiVersion")}, Kind=${kind}`);
    const name = textAt(reference, "name");
    const pod = await this.#reads.find("pods", account.namespace, name);
    if (pod === undefined) throw notFound({ group: "", resource: "pods" }, name);
    const uid = pod.metadata?.uid ?? "";
    const wanted = textAt(reference, "uid");
    if (wanted !== "" && wanted !== uid) {
      const why = `the UID in the bound object reference (${wanted}) does not match the UID in record. The object might have been deleted and then recreated`;
      throw conflict({ group: "", resource: "pods" }, name, why);
    }
    if (textAt(pod, "spec", "serviceAccountName") !== account.name) {
      throw badRequest(
        `cannot bind token for serviceaccount ${JSON.stringify(account.name)} to pod running with different serviceaccount name.`,
      );
    }
    const nodeName = textAt(pod, "spec", "nodeName");
    const node = nodeName === "" ? undefined : await this.#reads.find("nodes", "", nodeName);
    const bound = { ...account, pod: { name, uid } };
    return node === undefined ? bound : { ...bound, node: { name: nodeName, uid: node.metadata?.uid ?? "" } };
  }
}
