import type { BinaryReader } from "@bufbuild/protobuf/wire";
import type { MethodDefinition as GrpcMethod } from "@grpc/grpc-js";

/** What ts-proto generates for a message: its wire codec. */
export interface MessageType {
  encode(message: never): { finish(): Uint8Array };
  decode(input: BinaryReader | Uint8Array): unknown;
}

/** One method of a service as ts-proto's `generic-definitions` describe it. */
export interface MethodDefinition {
  readonly name: string;
  readonly requestType: MessageType;
  readonly requestStream: boolean;
  readonly responseType: MessageType;
  readonly responseStream: boolean;
}

export interface ServiceDefinition {
  readonly name: string;
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

export type MessageOf<T extends MessageType> = ReturnType<T["decode"]>;
export type RequestOf<M extends MethodDefinition> = MessageOf<M["requestType"]>;
export type ResponseOf<M extends MethodDefinition> = MessageOf<M["responseType"]>;

/** The same method for grpc-js. */
export function grpcMethod(service: ServiceDefinition, method: MethodDefinition): GrpcMethod<unknown, unknown> {
  return {
    path: `/${service.fullName}/${method.name}`,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: serializer(method.requestType),
    requestDeserialize: (bytes: Buffer) => method.requestType.decode(bytes),
    responseSerialize: serializer(method.responseType),
    responseDeserialize: (bytes: Buffer) => method.responseType.decode(bytes),
  };
}

function serializer(type: MessageType): (message: unknown) => Buffer {
  return (message) => {
    const bytes = type.encode(message as never).finish();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}
