import type { Status } from "../gen/k8s/meta/v1.ts";
import {
  Encoding,
  FieldValidation,
  PatchType,
  PropagationPolicy,
  ResourcesDefinition,
  ResourceVersionMatch,
  type Fence as RpcFence,
  type WriteOptions as RpcWriteOptions,
  type Target,
  WatchEventType,
} from "../gen/keelson/api/v1/resources.ts";
import { Codec } from "../resource/codec/codec.ts";
import type { ResourceRef } from "../resource/kind.ts";
import type { Registry } from "../resource/registry.ts";
import type { MessageSchema } from "../resource/schema.ts";
import type { GrpcChannel, ServiceClient } from "../transport/grpc-client.ts";
import type {
  ApiClient,
  DeleteOptions,
  Fence,
  ListOptions,
  ObjectKey,
  ObjectList,
  Patch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./api-client.ts";
import type { ApiObject } from "./api-object.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { fromStatus, statusErrorOf } from "./rpc-failure.ts";

export interface GrpcApiClientComponents {
  /** To the api-server's gRPC port, with the certificate of whoever asks. */
  readonly channel: GrpcChannel;
  readonly registry: Registry;
}

const CALL_TIMEOUT_MS = 60_000;
const PATCH_TYPES = {
  merge: PatchType.PATCH_TYPE_MERGE,
  json: PatchType.PATCH_TYPE_JSON,
  strategic: PatchType.PATCH_TYPE_STRATEGIC_MERGE,
};
const PROPAGATION = {
  Background: PropagationPolicy.PROPAGATION_POLICY_BACKGROUND,
  Foreground: PropagationPolicy.PROPAGATION_POLICY_FOREGROUND,
  Orphan: PropagationPolicy.PROPAGATION_POLICY_ORPHAN,
};
const EVENT_TYPES: Readonly<Partial<Record<WatchEventType, WatchEvent<unknown>["type"]>>> = {
  [WatchEventType.WATCH_EVENT_TYPE_ADDED]: "ADDED",
  [WatchEventType.WATCH_EVENT_TYPE_MODIFIED]: "MODIFIED",
  [WatchEventType.WATCH_EVENT_TYPE_DELETED]: "DELETED",
  [WatchEventType.WATCH_EVENT_TYPE_BOOKMARK]: "BOOKMARK",
};

/** The API over `keelson.api.v1.Resources`, for roles in processes of their own. Objects travel as protobuf. */
export class GrpcApiClient implements ApiClient {
  readonly #rpc: ServiceClient<typeof ResourcesDefinition>;
  readonly #registry: Registry;
  readonly #codec = new Codec();
  readonly #statusSchema: MessageSchema;

  constructor(components: GrpcApiClientComponents) {
    this.#rpc = components.channel.client(ResourcesDefinition);
    this.#registry = components.registry;
    const statusSchema = components.registry.schemaOfKind("", "v1", "Status");
    if (statusSchema === undefined) throw new Error("the registry lacks the kind Status of v1");
    this.#statusSchema = statusSchema;
  }

  async get<T>(ref: ResourceRef<T>, key: ObjectKey, options: { signal?: AbortSignal } = {}): Promise<T> {
    const request = { target: targetOf(ref, key), encoding: Encoding.ENCODING_PROTOBUF, resourceVersion: "" };
    const answer = await this.#call(this.#rpc.get(request, { timeoutMs: CALL_TIMEOUT_MS, ...options }));
    return this.#read<T>(answer.object?.data);
  }

  async list<T>(ref: ResourceRef<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const request = {
      target: targetOf(ref, { namespace: options.namespace ?? "", name: "" }),
      encoding: Encoding.ENCODING_PROTOBUF,
      selectors: { label: options.labelSelector ?? "", field: options.fieldSelector ?? "" },
      limit: BigInt(options.limit ?? 0),
      continue: options.continue ?? "",
      resourceVersion: options.resourceVersion ?? "",
      resourceVersionMatch: ResourceVersionMatch.RESOURCE_VERSION_MATCH_UNSPECIFIED,
    };
    const limits = { timeoutMs: CALL_TIMEOUT_MS, ...(options.signal === undefined ? {} : { signal: options.signal }) };
    const answer = await this.#call(this.#rpc.list(request, limits));
    return {
      resourceVersion: answer.resourceVersion,
      ...(answer.continue === "" ? {} : { continue: answer.continue }),
      items: answer.items.map((item) => this.#read<T>(item)),
    };
  }

  async *watch<T>(ref: ResourceRef<T>, options: WatchOptions): AsyncGenerator<readonly WatchEvent<T>[]> {
    const request = {
      target: targetOf(ref, { namespace: options.namespace ?? "", name: "" }),
      encoding: Encoding.ENCODING_PROTOBUF,
      selectors: { label: options.labelSelector ?? "", field: options.fieldSelector ?? "" },
      resourceVersion: options.resourceVersion ?? "",
      resourceVersionMatch: ResourceVersionMatch.RESOURCE_VERSION_MATCH_UNSPECIFIED,
      allowBookmarks: options.allowBookmarks ?? false,
      sendInitialEvents: options.sendInitialEvents ?? false,
      timeoutSeconds: 0n,
      bookmarkWhenCurrent: options.bookmarkWhenCurrent ?? false,
    };
    try {
      for await (const batch of this.#rpc.watch(request, { signal: options.signal })) {
        const last = batch.events.at(-1);
        if (last?.type === WatchEventType.WATCH_EVENT_TYPE_ERROR) throw fromStatus(this.#read<Status>(last.object));
        yield batch.events.flatMap((event): WatchEvent<T>[] => {
          const type = EVENT_TYPES[event.type];
          return type === undefined ? [] : [{ type, object: this.#read<T>(event.object) }];
        });
      }
    } catch (error) {
      // The reader's own wish is no failure.
      if (options.signal.aborted) return;
      throw statusErrorOf(error, this.#codec, this.#statusSchema);
    }
  }

  async create<T>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T> {
    const { namespace = "" } = (object as ApiObject).metadata ?? {};
    const request = {
      target: targetOf(ref, { namespace, name: "" }),
      object: this.#write(ref, object),
      options: writeOptionsOf(options),
    };
    return this.#read<T>((await this.#call(this.#rpc.create(request, { timeoutMs: CALL_TIMEOUT_MS }))).object?.data);
  }

  async update<T>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T> {
    const { namespace = "", name = "" } = (object as ApiObject).metadata ?? {};
    const target = targetOf(ref, { namespace, name }, options?.subresource);
    const sent = options?.subresource === undefined ? ref : this.#bodyOf(ref, options.subresource);
    const request = { target, object: this.#write(sent, object), options: writeOptionsOf(options) };
    return this.#read<T>((await this.#call(this.#rpc.update(request, { timeoutMs: CALL_TIMEOUT_MS }))).object?.data);
  }

  async patch<T>(ref: ResourceRef<T>, key: ObjectKey, patch: Patch, options?: WriteOptions): Promise<T> {
    const request = {
      target: targetOf(ref, key, options?.subresource),
      type: PATCH_TYPES[patch.type],
      patch: Buffer.from(JSON.stringify(patch.body)),
      options: writeOptionsOf(options),
    };
    return this.#read<T>((await this.#call(this.#rpc.patch(request, { timeoutMs: CALL_TIMEOUT_MS }))).object?.data);
  }

  async delete<T>(ref: ResourceRef<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const { gracePeriodSeconds, uid, resourceVersion, propagationPolicy } = options;
    const request = {
      target: targetOf(ref, key),
      options: {
        dryRun: false,
        gracePeriodSeconds: gracePeriodSeconds === undefined ? undefined : BigInt(gracePeriodSeconds),
        preconditions: { uid, resourceVersion },
        propagationPolicy:
          propagationPolicy === undefined
            ? PropagationPolicy.PROPAGATION_POLICY_UNSPECIFIED
            : PROPAGATION[propagationPolicy],
        fence: fenceOf(options.fence),
        answerEncoding: Encoding.ENCODING_PROTOBUF,
      },
    };
    await this.#call(this.#rpc.delete(request, { timeoutMs: CALL_TIMEOUT_MS }));
  }

  async createSubresource<T, A = unknown>(
    ref: ResourceRef<T>,
    key: ObjectKey,
    subresource: string,
    body: A,
    options?: { fence?: Fence; dryRun?: boolean },
  ): Promise<A> {
    const request = {
      target: targetOf(ref, key, subresource),
      object: this.#write(this.#bodyOf(ref, subresource), body),
      options: writeOptionsOf(options),
    };
    return this.#read<A>((await this.#call(this.#rpc.create(request, { timeoutMs: CALL_TIMEOUT_MS }))).object?.data);
  }

  /** The kind that a subresource takes. */
  #bodyOf(ref: ResourceRef, subresource: string): Pick<ResourceRef, "group" | "version" | "kind"> {
    const definition = this.#registry.resource(ref.group, ref.version, ref.resource);
    return definition?.subresources.find((one) => one.name === subresource) ?? ref;
  }

  #write(kind: Pick<ResourceRef, "group" | "version" | "kind">, object: unknown): { encoding: Encoding; data: Buffer } {
    const schema = this.#registry.schemaOfKind(kind.group, kind.version, kind.kind);
    if (schema === undefined)
      throw new Error(`the registry lacks the kind ${kind.kind} of ${kind.group}/${kind.version}`);
    const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
    const normal = this.#codec.normalize(schema, object).object;
    return {
      encoding: Encoding.ENCODING_PROTOBUF,
      data: this.#codec.encodeEnvelope(apiVersion, kind.kind, schema, normal),
    };
  }

  #read<T>(data: Uint8Array | undefined): T {
    if (data === undefined) throw new Error("the API's answer lacks its object");
    const envelope = this.#codec.decodeEnvelope(data);
    const slash = envelope.apiVersion.indexOf("/");
    const group = slash < 0 ? "" : envelope.apiVersion.slice(0, slash);
    const schema = this.#registry.schemaOfKind(group, envelope.apiVersion.slice(slash + 1), envelope.kind);
    if (schema === undefined)
      throw new Error(`the API answered with the unknown kind ${envelope.apiVersion} ${envelope.kind}`);
    return deepFreeze(this.#codec.decodeProtobuf(schema, envelope.raw, envelope).object) as T;
  }

  async #call<R>(answer: Promise<R>): Promise<R> {
    try {
      return await answer;
    } catch (error) {
      throw statusErrorOf(error, this.#codec, this.#statusSchema);
    }
  }
}

function targetOf(ref: ResourceRef, key: ObjectKey, subresource = ""): Target {
  const { group, version, resource } = ref;
  return { group, version, resource, namespace: key.namespace ?? "", name: key.name, subresource };
}

function writeOptionsOf(options: Pick<WriteOptions, "dryRun" | "fieldManager" | "fence"> = {}): RpcWriteOptions {
  return {
    dryRun: options.dryRun ?? false,
    fieldManager: options.fieldManager ?? "",
    fieldValidation: FieldValidation.FIELD_VALIDATION_STRICT,
    fence: fenceOf(options.fence),
    answerEncoding: Encoding.ENCODING_PROTOBUF,
  };
}

function fenceOf(fence: Fence | undefined): RpcFence | undefined {
  return fence === undefined ? undefined : { ...fence };
}
