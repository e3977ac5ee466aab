import { badRequest } from "../../../lib/core/status-error.ts";
import { Encoding, type Object as RpcObject, type Target } from "../../../lib/gen/keelson/api/v1/resources.ts";
import { KindServiceDefinition } from "../../../lib/gen/keelson/kind/v1/kind_service.ts";
import { unwrapMessage, wrapMessage } from "../../../lib/resource/codec/enveloped-message.ts";
import type { TypedMethod, TypedService } from "../../../lib/resource/typed-service.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import type { MethodDefinition, ServiceDefinition } from "../../../lib/transport/service-definition.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import type { ResourcesHandlers } from "./resources-service.ts";
import { rpcErrorOf } from "./rpc-status.ts";

export interface TypedServiceComponents {
  readonly resources: ResourcesHandlers;
  readonly statusCodec: StatusCodec;
}

type PatternHandlers = Required<ServiceHandlers<typeof KindServiceDefinition>>;

const { ENCODING_JSON, ENCODING_PROTOBUF, ENCODING_YAML } = Encoding;

/**
 * A typed service, `keelson.api.<group>.<version>.<Kind>Service`: its messages are read by their pattern, where a kind's
 * message is bytes, and each method is that of `Resources` with these bytes in an envelope. No object is decoded here.
 */
export function typedService(
  service: TypedService,
  components: TypedServiceComponents,
): { definition: ServiceDefinition; handlers: ServiceHandlers<ServiceDefinition> } {
  const methods: Record<string, MethodDefinition> = {};
  const handlers: Record<string, unknown> = {};
  const bySubresource = new Map<string, PatternHandlers>();
  for (const method of service.methods) {
    const { name, pattern, subresource } = method;
    const own = bySubresource.get(subresource) ?? patternHandlers(service, method, components);
    bySubresource.set(subresource, own);
    methods[name] = { ...KindServiceDefinition.methods[pattern], name };
    handlers[name] = own[pattern];
  }
  const fullName = `${service.packageName}.${service.name}`;
  return {
    definition: { name: service.name, fullName, methods },
    handlers: handlers as ServiceHandlers<ServiceDefinition>,
  };
}

/** The methods of one kind or subresource. */
function patternHandlers(
  { definition }: TypedService,
  body: TypedMethod,
  { resources, statusCodec }: TypedServiceComponents,
): PatternHandlers {
  const { group, version, resource } = definition;
  const { subresource } = body;
  const target = (namespace: string, name: string): Target => ({
    group,
    version,
    resource,
    namespace,
    name,
    subresource,
  });
  const at = (request: { namespace: string; name: string }) => target(request.namespace, request.name);
  const sent = (object: Buffer | undefined): RpcObject | undefined =>
    object === undefined ? undefined : { encoding: ENCODING_PROTOBUF, data: wrapMessage(body, object) };
  const checked = <T extends { answerEncoding: Encoding }>(options: T | undefined): T | undefined => {
    const asked = options?.answerEncoding;
    if (asked !== ENCODING_JSON && asked !== ENCODING_YAML) return options;
    throw rpcErrorOf(
      badRequest("a typed service answers with messages: leave answer_encoding unspecified"),
      statusCodec,
    );
  };
  const encoding = ENCODING_PROTOBUF;
  return {
    get: async (request, call) => {
      const asked = { target: at(request), encoding, resourceVersion: request.resourceVersion };
      return objectOf((await resources.get(asked, call)).object);
    },
    list: async ({ namespace, continueToken, ...request }, call) => {
      const asked = { ...request, target: target(namespace, ""), encoding, continue: continueToken };
      const { items, continue: next, ...list } = await resources.list(asked, call);
      return { ...list, items: items.map(messageOf), continueToken: next };
    },
    watch: async function* ({ namespace, ...request }, call) {
      const asked = { ...request, target: target(namespace, ""), encoding };
      for await (const { events } of resources.watch(asked, call)) {
        yield { events: events.map((event) => ({ ...event, ...answerOf(event.object) })) };
      }
    },
    create: async ({ namespace, object, options }, call) => {
      const asked = { target: target(namespace, ""), object: sent(object), options: checked(options) };
      const { object: made, warnings } = await resources.create(asked, call);
      return { ...answerOf(made?.data), warnings };
    },
    createAt: async ({ object, options, ...request }, call) => {
      const asked = { target: at(request), object: sent(object), options: checked(options) };
      const { object: made, warnings } = await resources.create(asked, call);
      return { ...answerOf(made?.data), warnings };
    },
    update: async ({ object, options, ...request }, call) => {
      const asked = { target: at(request), object: sent(object), options: checked(options) };
      const answer = await resources.update(asked, call);
      return { ...answer, ...objectOf(answer.object) };
    },
    patch: async ({ type, patch, options, ...request }, call) => {
      const answer = await resources.patch({ target: at(request), type, patch, options: checked(options) }, call);
      return { ...answer, ...objectOf(answer.object) };
    },
    apply: async ({ configuration, force, options, ...request }, call) => {
      const asked = { target: at(request), object: configuration, force, options: checked(options) };
      const answer = await resources.apply(asked, call);
      return { ...answer, ...objectOf(answer.object) };
    },
    delete: async ({ options, ...request }, call) => {
      const { object, warnings } = await resources.delete({ target: at(request), options: checked(options) }, call);
      return { ...answerOf(object?.data), warnings };
    },
    deleteCollection: async ({ namespace, selectors, options }, call) => {
      const asked = { target: target(namespace, ""), selectors, options: checked(options) };
      const { items, warnings } = await resources.deleteCollection(asked, call);
      return { items: items.map(messageOf), warnings };
    },
  };
}

function objectOf(object: RpcObject | undefined): { object: Buffer | undefined } {
  return { object: object === undefined ? undefined : messageOf(object.data) };
}

/** An answer that is the object or a Status. */
function answerOf(data: Buffer | undefined): { object: Buffer | undefined; status: Buffer | undefined } {
  if (data === undefined) return { object: undefined, status: undefined };
  const { kind, raw } = unwrapMessage(data);
  return kind === "Status" ? { object: undefined, status: buffer(raw) } : { object: buffer(raw), status: undefined };
}

function messageOf(data: Buffer): Buffer {
  return buffer(unwrapMessage(data).raw);
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
