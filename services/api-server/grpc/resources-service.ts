import { badRequest, requestEntityTooLarge } from "../../../lib/core/status-error.ts";
import {
  type DeleteCollectionRequest,
  type DeleteCollectionResponse,
  Encoding,
  type ListRequest,
  type ListResponse,
  type ResourcesDefinition,
  type DeleteOptions as RpcDeleteOptions,
  type Object as RpcObject,
  type Operation as RpcOperation,
  type TransactRequest,
  type TransactResponse,
  WatchEventType,
  type WatchRequest,
  type WatchResponse,
} from "../../../lib/gen/keelson/api/v1/resources.ts";
import type { ServerCall, ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { ObjectView } from "../core/answer.ts";
import { bookmarkObject } from "../core/bookmark.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { ListAnswer } from "../core/reader.ts";
import type { Call } from "../core/request.ts";
import type { Operation, ResourceCore } from "../core/resource-core.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import type { ServedKind } from "../core/stored-kind.ts";
import type { WatchItem } from "../core/watcher.ts";
import { callerOf } from "./rpc-caller.ts";
import {
  answerEncodingOf,
  applyOf,
  applyOptionsOf,
  bodyOf,
  createTargetOf,
  deleteRequestOf,
  fenceOf,
  matchTextOf,
  objectTargetOf,
  patchOf,
  selectorsOf,
  targetOf,
  writeOptionsOf,
} from "./rpc-requests.ts";
import { rpcErrorOf } from "./rpc-status.ts";

export interface ResourcesServiceComponents {
  readonly core: ResourceCore;
  readonly kinds: KindTable;
  readonly statusCodec: StatusCodec;
  readonly authenticator: Authenticator;
}

export type ResourcesHandlers = Required<ServiceHandlers<typeof ResourcesDefinition>>;

/** `keelson.api.v1.Resources`: the same core as REST, in typed messages around the objects' own bytes. */
export function resourcesService(components: ResourcesServiceComponents): ResourcesHandlers {
  const { core, kinds } = components;
  const rpc = new RpcFace(components);
  return {
    get: (request, server) =>
      rpc.answer(server, async (call) => {
        const encoding = answerEncodingOf(request.encoding);
        const answer = await core.get(objectTargetOf(kinds, request.target), request.resourceVersion, call);
        return { object: encoded(answer.view, encoding) };
      }),
    list: (request, server) => rpc.answer(server, (call) => rpc.list(request, call)),
    watch: (request, server) => rpc.watch(request, server),
    create: (request, server) =>
      rpc.write(server, request.options?.answerEncoding, async (call) => {
        const target = createTargetOf(kinds, request.target);
        return await core.create(target, bodyOf(request.object), writeOptionsOf(request.options), call);
      }),
    update: (request, server) =>
      rpc.write(server, request.options?.answerEncoding, async (call) => {
        const target = objectTargetOf(kinds, request.target);
        return await core.update(target, bodyOf(request.object), writeOptionsOf(request.options), call);
      }),
    patch: (request, server) =>
      rpc.write(server, request.options?.answerEncoding, async (call) => {
        const target = objectTargetOf(kinds, request.target);
        return await core.patch(target, patchOf(request), writeOptionsOf(request.options), call);
      }),
    apply: (request, server) =>
      rpc.write(server, request.options?.answerEncoding, async (call) => {
        const target = objectTargetOf(kinds, request.target);
        return await core.patch(target, applyOf(request), applyOptionsOf(request), call);
      }),
    delete: (request, server) =>
      rpc.write(server, request.options?.answerEncoding, async (call) => {
        return await core.delete(objectTargetOf(kinds, request.target), deleteRequestOf(request.options), call);
      }),
    deleteCollection: (request, server) => rpc.answer(server, (call) => rpc.deleteCollection(request, call)),
    transact: (request, server) => rpc.answer(server, (call) => rpc.transact(request, call)),
  };
}

class RpcFace {
  readonly #components: ResourcesServiceComponents;

  constructor(components: ResourcesServiceComponents) {
    this.#components = components;
  }

  async answer<T>(server: ServerCall, work: (call: Call) => Promise<T>): Promise<T> {
    try {
      const identity = await callerOf(server, this.#components.authenticator);
      return await work({ identity, signal: server.signal, warnings: [] });
    } catch (error) {
      throw rpcErrorOf(error, this.#components.statusCodec);
    }
  }

  async write(
    server: ServerCall,
    asked: Encoding | undefined,
    work: (call: Call) => Promise<{ code: number; view: ObjectView }>,
  ): Promise<{ object: RpcObject; warnings: string[]; created: boolean }> {
    return await this.answer(server, async (call) => {
      const encoding = answerEncodingOf(asked);
      const answer = await work(call);
      return { object: encoded(answer.view, encoding), warnings: call.warnings, created: answer.code === 201 };
    });
  }

  async list(request: ListRequest, call: Call): Promise<ListResponse> {
    const { core, kinds } = this.#components;
    const target = targetOf(kinds, request.target);
    const encoding = answerEncodingOf(request.encoding);
    const options = {
      selectors: selectorsOf(request.selectors),
      resourceVersion: request.resourceVersion,
      resourceVersionMatch: matchTextOf(request.resourceVersionMatch),
      limit: Number(request.limit),
      continue: request.continue,
    };
    const list = await core.list(target, options, call);
    return {
      resourceVersion: String(list.revision),
      continue: list.continue,
      remainingItemCount: list.remaining === undefined ? undefined : BigInt(list.remaining),
      encoding,
      items: await itemsOf(list, target.kind, encoding, call.signal),
    };
  }

  async deleteCollection(request: DeleteCollectionRequest, call: Call): Promise<DeleteCollectionResponse> {
    const { core, kinds } = this.#components;
    const target = createTargetOf(kinds, request.target);
    const encoding = answerEncodingOf(request.options?.answerEncoding);
    const selectors = selectorsOf(request.selectors);
    const all = { selectors, resourceVersion: "", resourceVersionMatch: "", limit: 0, continue: "" };
    const deleted = await core.deleteCollection(target, all, deleteRequestOf(request.options), call);
    return { encoding, items: await itemsOf(deleted, target.kind, encoding, call.signal), warnings: call.warnings };
  }

  async *watch(request: WatchRequest, server: ServerCall): AsyncGenerator<WatchResponse> {
    const { core, kinds, statusCodec } = this.#components;
    try {
      const identity = await callerOf(server, this.#components.authenticator);
      const target = targetOf(kinds, request.target);
      const encoding = answerEncodingOf(request.encoding);
      const batches = await core.watch(
        target,
        {
          selectors: selectorsOf(request.selectors),
          resourceVersion: request.resourceVersion,
          resourceVersionMatch:
            matchTextOf(request.resourceVersionMatch) || (request.sendInitialEvents ? "NotOlderThan" : ""),
          allowBookmarks: request.allowBookmarks,
          sendInitialEvents: request.sendInitialEvents ? true : undefined,
          timeoutSeconds: Number(request.timeoutSeconds),
          bookmarkWhenCurrent: request.bookmarkWhenCurrent,
        },
        { identity, signal: server.signal, warnings: [] },
      );
      for await (const batch of batches) {
        yield { encoding, events: batch.map((item) => eventOf(item, target.kind, encoding, statusCodec)) };
      }
    } catch (error) {
      throw rpcErrorOf(error, statusCodec);
    }
  }

  async transact(request: TransactRequest, call: Call): Promise<TransactResponse> {
    if (request.operations.length === 0) throw badRequest("the transaction has no operations");
    if (request.operations.length > MAX_OPERATIONS) {
      throw requestEntityTooLarge(`a transaction has ${MAX_OPERATIONS} operations at most`);
    }
    const operations = request.operations.map((operation) => this.#operation(operation));
    const encodings = request.operations.map((operation) =>
      answerEncodingOf(operation.operation?.value.options?.answerEncoding),
    );
    const answers = await this.#components.core.transact(operations, fenceOf(request.fence).fence, call);
    return { objects: answers.map(({ view }, index) => encoded(view, encodings[index]!)), warnings: call.warnings };
  }

  #operation({ operation }: RpcOperation): Operation {
    const { kinds } = this.#components;
    switch (operation?.$case) {
      case "create": {
        const { target, object, options } = operation.value;
        return {
          verb: "create",
          target: createTargetOf(kinds, target),
          body: bodyOf(object),
          options: writeOptionsOf(options),
        };
      }
      case "update": {
        const { target, object, options } = operation.value;
        return {
          verb: "update",
          target: objectTargetOf(kinds, target),
          body: bodyOf(object),
          options: writeOptionsOf(options),
        };
      }
      case "patch": {
        const { target, options } = operation.value;
        return {
          verb: "patch",
          target: objectTargetOf(kinds, target),
          body: patchOf(operation.value),
          options: writeOptionsOf(options),
        };
      }
      case "delete": {
        const { target, options }: { target: typeof operation.value.target; options: RpcDeleteOptions | undefined } =
          operation.value;
        return { verb: "delete", target: objectTargetOf(kinds, target), options: deleteRequestOf(options) };
      }
      case "apply":
        return {
          verb: "patch",
          target: objectTargetOf(kinds, operation.value.target),
          body: applyOf(operation.value),
          options: applyOptionsOf(operation.value),
        };
      default:
        throw badRequest("an operation of the transaction is empty");
    }
  }
}

/** As many as a store takes in one transaction by default; more are refused before any of them is worked on. */
const MAX_OPERATIONS = 128;
/** Items that are encoded before others get the loop. */
const SLICE_ITEMS = 200;

async function itemsOf(list: ListAnswer, kind: ServedKind, encoding: Encoding, signal: AbortSignal): Promise<Buffer[]> {
  const items: Buffer[] = [];
  for (const item of list.items) {
    items.push(buffer(encoding === Encoding.ENCODING_JSON ? item.json(kind) : item.protobuf(kind)));
    if (items.length % SLICE_ITEMS !== 0) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
  return items;
}

function eventOf(
  item: WatchItem,
  kind: ServedKind,
  encoding: Encoding,
  statusCodec: StatusCodec,
): WatchResponse["events"][number] {
  const isJson = encoding === Encoding.ENCODING_JSON;
  const type = WatchEventType[`WATCH_EVENT_TYPE_${item.type}`];
  if (item.type === "ERROR") {
    const status = item.error.toStatus();
    return {
      type,
      object: buffer(isJson ? statusCodec.json(status) : statusCodec.protobuf(status)),
      resourceVersion: "",
    };
  }
  if (item.type === "BOOKMARK") {
    const object = bookmarkObject(item, kind);
    const bytes = isJson ? kind.encodeJson(object) : kind.encodeProtobuf(object);
    return { type, object: buffer(bytes), resourceVersion: String(item.revision) };
  }
  const bytes = isJson ? item.object.json(kind) : item.object.protobuf(kind);
  return { type, object: buffer(bytes), resourceVersion: String(item.object.revision) };
}

function encoded(view: ObjectView, encoding: Encoding): RpcObject {
  return { encoding, data: buffer(encoding === Encoding.ENCODING_JSON ? view.json() : view.protobuf()) };
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
