import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { silentLog } from "../core/log.ts";
import {
  ServerReflectionDefinition,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../gen/grpc/reflection/v1/reflection.ts";
import { GrpcChannel } from "./grpc-client.ts";
import { GrpcServer } from "./grpc-server.ts";
import { reflectionService } from "./reflection-service.ts";

test("a client learns services, and the files of a symbol with all that they import", async () => {
  const server = new GrpcServer({ log: silentLog });
  const descriptors = (): Uint8Array => readFileSync(new URL("../gen/descriptors.binpb", import.meta.url));
  server.addService(ServerReflectionDefinition, reflectionService(["keelson.api.v1.Resources"], descriptors));
  const port = await server.listen("127.0.0.1:0");
  const channel = new GrpcChannel({ target: `127.0.0.1:${port}` });
  const call = channel.client(ServerReflectionDefinition).serverReflectionInfo();
  const asked: NonNullable<ServerReflectionRequest["messageRequest"]>[] = [
    { $case: "listServices", value: "" },
    { $case: "fileContainingSymbol", value: "keelson.api.v1.Resources.Watch" },
    { $case: "fileContainingSymbol", value: "k8s.io.api.core.v1.Pod" },
    { $case: "fileByFilename", value: "no/such.proto" },
    { $case: "allExtensionNumbersOfType", value: "x" },
  ];
  for (const messageRequest of asked) await call.write({ host: "", messageRequest });
  call.end();
  const answers: ServerReflectionResponse["messageResponse"][] = [];
  for await (const answer of call) answers.push(answer.messageResponse);
  expect(answers[0]).toEqual({
    $case: "listServicesResponse",
    value: { service: [{ name: "keelson.api.v1.Resources" }] },
  });
  const files = (index: number): string[] => {
    const answer = answers[index];
    return answer?.$case === "fileDescriptorResponse"
      ? answer.value.fileDescriptorProto.map((bytes) => bytes.subarray(2, 2 + bytes[1]!).toString())
      : [];
  };
  expect(files(1)).toEqual(["keelson/api/v1/resources.proto"]);
  expect(files(2)[0]).toBe("k8s.io/api/core/v1/pod.proto");
  expect(files(2)).toContain("k8s.io/apimachinery/pkg/apis/meta/v1/time.proto");
  expect(answers[3]).toMatchObject({ $case: "errorResponse", value: { errorCode: 5 } });
  expect(answers[4]).toMatchObject({ $case: "errorResponse", value: { errorCode: 12 } });
  channel.close();
  await server.stop();
});
