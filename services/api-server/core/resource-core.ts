import type { Fence } from "../../../lib/client/api-client.ts";
import type { Clock } from "../../../lib/core/clock.ts";
import { badRequest, methodNotSupported, notFound, pageNotFound, StatusError } from "../../../lib/core/status-error.ts";
import type { AuthorizerList } from "../auth/authorizer.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import { type Answer, plainView, statusView, viewOf } from "./answer.ts";
import type { CommitOptions, Committer, Outcome, WritePlan } from "./committer.ts";
import { checkDeleteRequest } from "./delete-plan.ts";
import { copyOf, type KubeObject } from "./kube-object.ts";
import type { ListRequest, WatchRequest } from "./list-options.ts";
import type { DeleteOptionsObject, Machinery } from "./machinery.ts";
import type { ListAnswer, Reader } from "./reader.ts";
import type {
  Body,
  Call,
  DeleteRequest,
  PatchBody,
  RequestVerb,
  SelectorTexts,
  Target,
  WriteOptions,
} from "./request.ts";
import type { StatusCodec } from "./status-codec.ts";
import { authorize, authorizeFence, namedOf } from "./target-access.ts";
import { untilAborted } from "./until-aborted.ts";
import type { Watcher, WatchItem } from "./watcher.ts";
import type { WritePipeline } from "./write-pipeline.ts";
import { WritePlans } from "./write-plans.ts";

/** A subresource with objects of its own: `binding`, `scale`, `token`. */
export interface SubresourceHandler {
  get?(target: Target, call: Call): Promise<Answer>;
  create?(target: Target, body: Body, options: WriteOptions, call: Call): Promise<Answer>;
  update?(target: Target, body: Body, options: WriteOptions, call: Call): Promise<Answer>;
  patch?(target: Target, body: PatchBody, options: WriteOptions, call: Call): Promise<Answer>;
}

/** Creates of kinds that are asked and never stored (TokenReview). */
export type ReviewHandler = (target: Target, object: KubeObject, call: Call) => Promise<KubeObject>;

export interface CoreParts {
  readonly machinery: Machinery;
  readonly pipeline: WritePipeline;
  readonly committer: Committer;
  readonly reader: Reader;
  readonly watcher: Watcher;
  readonly authorizers: AuthorizerList;
  readonly statusCodec: StatusCodec;
  readonly clock: Clock;
}

/** One write of a transaction. */
export type Operation = { readonly target: Target } & (
  | { readonly verb: "create" | "update"; readonly body: Body; readonly options: WriteOptions }
  | { readonly verb: "patch"; readonly body: PatchBody; readonly options: WriteOptions }
  | { readonly verb: "delete"; readonly options: DeleteRequest }
);

const GENERATED_NAME_ATTEMPTS = 8;
const DELETES_AT_ONCE = 64;
/** Subresources that are views of the object itself. */
const OBJECT_SUBRESOURCES = new Set(["", "status", "finalize", "ephemeralcontainers", "resize", "approval"]);

/**
 * The API itself: one way for every kind. REST, gRPC and the client in this process are faces of it: they say who asks
 * for what with which bytes, and encode what it answers.
 */
export class ResourceCore {
  readonly #parts: CoreParts;
  /** For subresources whose writes are writes of the object. */
  readonly plans: WritePlans;
  readonly #subresources = new Map<string, SubresourceHandler>();
  readonly #reviews = new Map<string, ReviewHandler>();

  constructor(parts: CoreParts) {
    this.#parts = parts;
    this.plans = new WritePlans(parts);
  }

  /** `group/resource/subresource`; to be called before the first request. */
  addSubresource(path: string, handler: SubresourceHandler): void {
    this.#subresources.set(path, handler);
  }

  /** `group/resource` of a kind that is not stored. */
  addReview(path: string, handler: ReviewHandler): void {
    this.#reviews.set(path, handler);
  }

  async get(target: Target, resourceVersion: string, call: Call): Promise<Answer> {
    await this.authorize("get", target, call);
    const handler = this.#handlerOf(target);
    if (handler !== undefined) return await supported(handler.get, target, "get").call(handler, target, call);
    const cached = await untilAborted(call.signal, this.#parts.reader.get(target, resourceVersion));
    return { code: 200, view: viewOf(cached, target.kind) };
  }

  /** The object of a target, whose subresource the caller has authorized. */
  async find(target: Target): Promise<KubeObject> {
    return (await this.#parts.reader.get(target, "")).object(target.kind);
  }

  async list(target: Target, request: ListRequest, call: Call): Promise<ListAnswer> {
    await this.authorize("list", target, call, request.selectors);
    return await this.#parts.reader.list(target, request, call.signal);
  }

  async watch(target: Target, request: WatchRequest, call: Call): Promise<AsyncIterableIterator<readonly WatchItem[]>> {
    await this.authorize("watch", target, call, request.selectors);
    return await this.#parts.watcher.watch(target, request, call.signal);
  }

  async create(target: Target, body: Body, options: WriteOptions, call: Call): Promise<Answer> {
    await this.#authorizeWrite("create", target, options, call);
    const handler = this.#handlerOf(target);
    if (handler !== undefined) {
      return await supported(handler.create, target, "create").call(handler, target, body, options, call);
    }
    if (target.subresource !== "") throw methodNotSupported(namedOf(target), "create");
    const { machinery, pipeline } = this.#parts;
    const object = pipeline.accept(machinery.decode(target.kind, body), options, call);
    const review = this.#reviews.get(`${target.kind.definition.group}/${target.kind.definition.resource}`);
    if (review !== undefined) {
      return { code: 201, view: plainView(await review(target, object, call), target.kind) };
    }
    return await this.#createObject(target, object, options, call);
  }

  async update(target: Target, body: Body, options: WriteOptions, call: Call): Promise<Answer> {
    await this.#authorizeWrite("update", target, options, call);
    const handler = this.#handlerOf(target);
    if (handler !== undefined) {
      return await supported(handler.update, target, "update").call(handler, target, body, options, call);
    }
    const { machinery, pipeline } = this.#parts;
    const object = pipeline.accept(machinery.decode(target.kind, body), options, call);
    return await this.#writeObject(
      this.plans.update(target, () => object, options, call),
      target,
      options,
      call,
    );
  }

  async patch(target: Target, body: PatchBody, options: WriteOptions, call: Call): Promise<Answer> {
    await this.#authorizeWrite("patch", target, options, call);
    const handler = this.#handlerOf(target);
    if (handler !== undefined) {
      return await supported(handler.patch, target, "patch").call(handler, target, body, options, call);
    }
    return await this.#writeObject(this.plans.patch(target, body, options, call), target, options, call);
  }

  async delete(target: Target, request: DeleteRequest, call: Call): Promise<Answer> {
    await this.#authorizeWrite("delete", target, request, call);
    if (target.subresource !== "") throw methodNotSupported(namedOf(target), "delete");
    checkDeleteRequest(request);
    const options: CommitOptions = { dryRun: request.dryRun, fences: fencesOf(request), signal: call.signal };
    const [outcome] = await this.#parts.committer.commit([this.plans.delete(target, request, call)], options);
    return this.deleteAnswer(target, request, outcome!);
  }

  /** Deletes what a list selects; gives what was deleted or waits for its end. */
  async deleteCollection(target: Target, list: ListRequest, request: DeleteRequest, call: Call): Promise<ListAnswer> {
    await this.#authorizeWrite("deletecollection", target, request, call, list.selectors);
    // One request never empties all namespaces.
    if (target.kind.definition.namespaced && target.namespace === "")
      throw methodNotSupported(namedOf(target), "delete");
    checkDeleteRequest(request);
    const listed = await this.#parts.reader.list(target, list, call.signal);
    const options: CommitOptions = { dryRun: request.dryRun, fences: fencesOf(request), signal: call.signal };
    const deleteOne = async (object: CachedObject): Promise<void> => {
      const one: Target = { ...target, namespace: object.namespace, name: object.name };
      try {
        await this.#parts.committer.commit([this.plans.delete(one, request, call)], options);
      } catch (error) {
        if (!(error instanceof StatusError) || error.code !== 404) throw error;
      }
    };
    // Side by side, so that they share commits of the store, but not all at once.
    for (let index = 0; index < listed.items.length; index += DELETES_AT_ONCE) {
      await Promise.all(listed.items.slice(index, index + DELETES_AT_ONCE).map(deleteOne));
    }
    return listed;
  }

  deleteOptions(body: Body): DeleteOptionsObject {
    return this.#parts.machinery.decodeDeleteOptions(body);
  }

  /** All or nothing: the operations commit in one transaction of the store. */
  async transact(operations: readonly Operation[], fence: Fence | undefined, call: Call): Promise<readonly Answer[]> {
    const plans: WritePlan[] = [];
    const fences: Fence[] = fence === undefined ? [] : [fence];
    for (const one of fences) await authorizeFence(this.#parts.authorizers, one, call);
    for (const operation of operations) {
      plans.push(await this.#planOf(operation, call));
      const own = operation.options.fence;
      if (own !== undefined) fences.push(own);
    }
    if (new Set(plans.map((plan) => `${plan.kind.stored.prefix}/${plan.namespace}/${plan.name}`)).size < plans.length) {
      throw badRequest("a transaction may write each object only once");
    }
    const dryRuns = new Set(operations.map((operation) => operation.options.dryRun));
    if (dryRuns.size > 1) throw badRequest("either all operations of a transaction are dry runs or none is");
    const options = { dryRun: dryRuns.has(true), fences, signal: call.signal };
    const outcomes = await this.#parts.committer.commit(plans, options);
    return outcomes.map((outcome, index) => {
      const operation = operations[index]!;
      if (operation.verb === "delete") return this.deleteAnswer(operation.target, operation.options, outcome);
      return answerOf(outcome, operation.target, operation.verb === "create" ? 201 : 200);
    });
  }

  async #planOf(operation: Operation, call: Call): Promise<WritePlan> {
    const { machinery, pipeline } = this.#parts;
    const { verb, target, options } = operation;
    await this.#authorizeWrite(verb, target, options, call);
    // Nothing of these is stored, so nothing could be taken back.
    const isAsked = this.#handlerOf(target) !== undefined || !target.kind.definition.stored;
    if (isAsked) throw methodNotSupported(namedOf(target), verb);
    if (verb === "patch") return this.plans.patch(target, operation.body, options, call);
    if (verb === "delete") {
      checkDeleteRequest(options);
      return this.plans.delete(target, options, call);
    }
    const object = pipeline.accept(machinery.decode(target.kind, operation.body), options, call);
    if (verb === "update") return this.plans.update(target, () => object, options, call);
    return this.plans.create(target, await pipeline.forCreate(object, target, call, options));
  }

  /** Rejects unless the caller may do this. */
  async authorize(verb: RequestVerb, target: Target, call: Call, selectors?: SelectorTexts): Promise<void> {
    await authorize(this.#parts.authorizers, verb, target, call, selectors);
  }

  async #authorizeWrite(
    verb: RequestVerb,
    target: Target,
    options: { readonly fence?: Fence },
    call: Call,
    selectors?: SelectorTexts,
  ): Promise<void> {
    await this.authorize(verb, target, call, selectors);
    if (options.fence !== undefined) await authorizeFence(this.#parts.authorizers, options.fence, call);
  }

  async #createObject(target: Target, sent: KubeObject, options: WriteOptions, call: Call): Promise<Answer> {
    const generates = (sent.metadata?.name ?? "") === "" && (sent.metadata?.generateName ?? "") !== "";
    for (let attempt = 1; ; attempt++) {
      const object = await this.#parts.pipeline.forCreate(generates ? copyOf(sent) : sent, target, call, options);
      try {
        const [outcome] = await this.#parts.committer.commit(
          [this.plans.create(target, object)],
          commitOptions(options, call),
        );
        return answerOf(outcome!, target, 201);
      } catch (error) {
        const taken = error instanceof StatusError && error.reason === "AlreadyExists";
        if (!generates || !taken || attempt >= GENERATED_NAME_ATTEMPTS) throw error;
      }
    }
  }

  async #writeObject(plan: WritePlan, target: Target, options: WriteOptions, call: Call): Promise<Answer> {
    const [outcome] = await this.#parts.committer.commit([plan], commitOptions(options, call));
    const isNew = (outcome!.type === "put" || outcome!.type === "dry-run") && outcome!.before === undefined;
    return answerOf(outcome!, target, isNew ? 201 : 200);
  }

  /** What a delete answers: the object while it lives on, and otherwise what the kind's delete has always answered. */
  deleteAnswer(target: Target, request: DeleteRequest, outcome: Outcome): Answer {
    const gone = outcome.type === "deleted";
    const waits = !gone && request.propagationPolicy === "Foreground";
    if (!gone || target.kind.strategy.returnsDeleted === true) return answerOf(outcome, target, waits ? 202 : 200);
    const { definition } = target.kind;
    const details = {
      name: target.name,
      ...(definition.group === "" ? {} : { group: definition.group }),
      kind: definition.resource,
      uid: outcome.before.object().metadata?.uid ?? "",
    };
    const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details } as const;
    return { code: 200, view: statusView(status, target.kind, this.#parts.statusCodec) };
  }

  #handlerOf(target: Target): SubresourceHandler | undefined {
    const { definition } = target.kind;
    const isObject = definition.stored || definition.verbs.includes("get");
    if (isObject && OBJECT_SUBRESOURCES.has(target.subresource)) return undefined;
    if (this.#reviews.has(`${definition.group}/${definition.resource}`)) return undefined;
    const handler = this.#subresources.get(`${definition.group}/${definition.resource}/${target.subresource}`);
    if (handler === undefined) throw pageNotFound();
    return handler;
  }
}

function fencesOf(options: { readonly fence?: Fence }): readonly Fence[] {
  return options.fence === undefined ? [] : [options.fence];
}

export function commitOptions(options: WriteOptions, call: Call): CommitOptions {
  return { dryRun: options.dryRun, fences: fencesOf(options), signal: call.signal };
}

export function answerOf(outcome: Outcome, target: Target, code: number): Answer {
  if (outcome.type === "dry-run") {
    const object = outcome.object;
    if (outcome.before !== undefined && object.metadata !== undefined) {
      object.metadata.resourceVersion = String(outcome.before.revision);
    }
    return { code, view: plainView(object, target.kind) };
  }
  if (outcome.after === undefined) throw notFound(namedOf(target), target.name);
  return { code, view: viewOf(outcome.after, target.kind) };
}

function supported<T>(method: T | undefined, target: Target, verb: string): T {
  if (method === undefined) throw methodNotSupported(namedOf(target), verb);
  return method;
}
