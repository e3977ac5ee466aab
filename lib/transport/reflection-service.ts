import type {
  ServerReflectionDefinition,
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "../gen/grpc/reflection/v1/reflection.ts";
import { DescriptorIndex } from "./descriptor-index.ts";
import type { ServiceHandlers } from "./grpc-server.ts";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

/** google.rpc.Code NOT_FOUND and UNIMPLEMENTED. */
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

/**
 * grpc.reflection.v1: tells clients such as grpcurl what a server serves, from a descriptor set, without generating code.
 * `descriptorSet` is read when it is first asked for. Extensions are not looked up.
 * Source: github.com/grpc/grpc:doc/server-reflection.md.
 */
export function reflectionService(
  serviceNames: readonly string[],
  descriptorSet: () => Uint8Array,
): Required<ServiceHandlers<typeof ServerReflectionDefinition>> {
  let index: DescriptorIndex | undefined;
  const files = (): DescriptorIndex => {
    index ??= new DescriptorIndex(descriptorSet());
    return index;
  };
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        const messageResponse = answer(request, serviceNames, files);
        yield { validHost: request.host, originalRequest: request, messageResponse };
      }
    },
  };
}

function answer(
  request: ServerReflectionRequest,
  serviceNames: readonly string[],
  files: () => DescriptorIndex,
): Answer {
  const asked = request.messageRequest;
  switch (asked?.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: serviceNames.map((name) => ({ name })) } };
    case "fileByFilename":
      return found(files().file(asked.value), asked.value);
    case "fileContainingSymbol":
      return found(files().symbol(asked.value), asked.value);
    default: {
      const value = { errorCode: UNIMPLEMENTED, errorMessage: "this request of reflection is not served" };
      return { $case: "errorResponse", value };
    }
  }
}

function found(files: readonly Uint8Array[] | undefined, name: string): Answer {
  if (files === undefined) {
    return { $case: "errorResponse", value: { errorCode: NOT_FOUND, errorMessage: `not found: ${name}` } };
  }
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto: files.map((bytes) => Buffer.from(bytes)) } };
}
