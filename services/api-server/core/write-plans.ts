import type { Clock } from "../../../lib/core/clock.ts";
import { notFound, StatusError } from "../../../lib/core/status-error.ts";
import type { AuthorizerList } from "../auth/authorizer.ts";
import type { CachedObject } from "../cache/cached-object.ts";
import type { WritePlan } from "./committer.ts";
import { decideDelete, isFinished } from "./delete-plan.ts";
import { copyOf, type KubeObject } from "./kube-object.ts";
import type { Machinery } from "./machinery.ts";
import type { Call, DeleteRequest, PatchBody, Target, WriteOptions } from "./request.ts";
import { authorize, namedOf } from "./target-access.ts";
import type { WritePipeline } from "./write-pipeline.ts";

/** Makes plans of writes: what each verb does with the newest state of one object. */
export class WritePlans {
  readonly #parts: { machinery: Machinery; pipeline: WritePipeline; authorizers: AuthorizerList; clock: Clock };

  constructor(parts: { machinery: Machinery; pipeline: WritePipeline; authorizers: AuthorizerList; clock: Clock }) {
    this.#parts = parts;
  }

  /** The write of a new state that `wanted` makes from the newest one; it is called again after a conflict. */
  update(
    target: Target,
    wanted: (current: CachedObject | undefined) => KubeObject,
    options: WriteOptions,
    call: Call,
    isApply = false,
  ): WritePlan {
    const { pipeline, authorizers } = this.#parts;
    return {
      kind: target.kind,
      namespace: target.namespace,
      name: target.name,
      decide: async (current) => {
        if (current === undefined) {
          const creates = isApply || target.kind.definition.createOnUpdate;
          if (!creates || target.subresource !== "") throw notFound(namedOf(target), target.name);
          const object = copyOf(wanted(undefined));
          await authorize(authorizers, "create", target, call);
          return { type: "put", object: await pipeline.forCreate(object, target, call, options) };
        }
        const object = await pipeline.forUpdate(copyOf(wanted(current)), current, target, call, options, isApply);
        const finished = isFinished(object, current.object(target.kind), target);
        return finished ? { type: "delete" } : { type: "put", object };
      },
    };
  }

  patch(target: Target, body: PatchBody, options: WriteOptions, call: Call): WritePlan {
    const { machinery, pipeline } = this.#parts;
    const isApply = body.type === "apply";
    const wanted = (current: CachedObject | undefined): KubeObject => {
      const note = pipeline.writerNote(options, call, isApply);
      const before = current?.object(target.kind);
      if (before === undefined && !isApply) throw notFound(namedOf(target), target.name);
      const patched =
        before === undefined || isApply
          ? machinery.apply(target, before, body, note)
          : machinery.patch(target.kind, before, body);
      const object = pipeline.accept(
        patched,
        { ...options, fieldValidation: options.fieldValidation },
        { ...call, warnings: [] },
      );
      if (patched.problems.length > 0 && options.fieldValidation === "Warn") warnOnce(call, patched.problems);
      return object;
    };
    return this.update(target, wanted, options, call, isApply);
  }

  delete(target: Target, request: DeleteRequest, call: Call): WritePlan {
    return {
      kind: target.kind,
      namespace: target.namespace,
      name: target.name,
      decide: async (current) => {
        const decision = decideDelete(current, target, request, this.#parts.clock);
        if (current !== undefined) {
          await this.#parts.pipeline.admitDelete(current.object(target.kind), target, call, request.dryRun);
        }
        return decision;
      },
    };
  }

  create(target: Target, object: KubeObject): WritePlan {
    const name = object.metadata?.name ?? "";
    return {
      kind: target.kind,
      namespace: target.namespace,
      name,
      decide: async (current) => {
        if (current !== undefined) throw existsAlready(target, name, current);
        return { type: "put", object: copyOf(object) };
      },
    };
  }
}

function existsAlready(target: Target, name: string, current: CachedObject): StatusError {
  const { group, resource } = namedOf(target);
  const qualified = group === "" ? resource : `${resource}.${group}`;
  const deleting = current.object().metadata?.deletionTimestamp !== undefined;
  const message = `${deleting ? "object is being deleted: " : ""}${qualified} ${JSON.stringify(name)} already exists`;
  return new StatusError(409, "AlreadyExists", message, { name, ...(group === "" ? {} : { group }), kind: resource });
}

function warnOnce(call: Call, problems: readonly string[]): void {
  for (const problem of problems) if (!call.warnings.includes(problem)) call.warnings.push(problem);
}
