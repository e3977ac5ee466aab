import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { configMaps } from "../../lib/gen/k8s/resources.ts";
import {
  CreateRequest,
  Encoding,
  GetRequest,
  ResourcesDefinition,
  UpdateRequest,
  WatchRequest,
} from "../../lib/gen/keelson/api/v1/resources.ts";
import { GrpcChannel, type ServiceClient } from "../../lib/transport/grpc-client.ts";
import type { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { field, grpcFrame, named, rawCall, text } from "./raw-grpc.ts";

let api: ApiFixture;
let channel: GrpcChannel;
let resources: ServiceClient<typeof ResourcesDefinition>;

beforeAll(async () => {
  api = await startApi({ ring: { events: 4, sizeBytes: 1024 * 1024 } });
  channel = channelAs(api.admin);
  resources = channel.client(ResourcesDefinition);
});

afterAll(async () => {
  channel.close();
  await api.stop();
});

function channelAs(user: KeyPair): GrpcChannel {
  const tls = { caPem: api.serverCaPem, certPem: user.certPem, keyPem: user.keyPem };
  return new GrpcChannel({ target: `127.0.0.1:${api.api.grpcPort}`, tls, maxMessageBytes: 64 * 2 ** 20 });
}

const target = { group: "", version: "v1", resource: "configmaps", namespace: "default", name: "", subresource: "" };

/** The code of a create whose object is these bytes behind a proper envelope. */
async function codeOfMessage(message: Uint8Array): Promise<string> {
  const body = Buffer.concat([
    field(1, Buffer.concat([field(1, text("v1")), field(2, text("ConfigMap"))])),
    field(2, message),
  ]);
  return await codeOfBytes(Buffer.concat([Buffer.from("k8s\0"), body]));
}

async function codeOfBytes(data: Buffer, encoding: Encoding = Encoding.ENCODING_PROTOBUF): Promise<string> {
  const request = CreateRequest.fromPartial({ target, object: { encoding, data } });
  return await codeOf(resources.create(request));
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "OK",
    (error: unknown) => (error as RpcError).code,
  );
}

const [INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED] = ["3", "8", "12"];

describe("gRPC API", () => {
  test("a good message is taken, so that the bad ones below are refused for what is bad", async () => {
    expect(await codeOfMessage(named("good"))).toBe("OK");
  });

  test("bad wire type -> INVALID_ARGUMENT", async () => {
    expect(await codeOfMessage(Buffer.of(0x08, 0x01))).toBe("INVALID_ARGUMENT");
    expect(await codeOfMessage(Buffer.concat([named("x"), Buffer.of(0x0f)]))).toBe("INVALID_ARGUMENT");
  });

  test("truncated -> INVALID_ARGUMENT", async () => {
    const message = named("truncated");
    for (let length = 1; length < message.length; length++) {
      expect(await codeOfMessage(message.subarray(0, length))).toBe("INVALID_ARGUMENT");
    }
    expect(await codeOfBytes(Buffer.from("k8s\0\x0a"))).toBe("INVALID_ARGUMENT");
    expect(await codeOfBytes(Buffer.from("k8"))).toBe("INVALID_ARGUMENT");
    const request = GetRequest.encode(GetRequest.fromPartial({ target: { ...target, name: "good" } })).finish();
    const cut = grpcFrame(request.subarray(0, request.length - 1));
    expect(await rawCall(api, "/keelson.api.v1.Resources/Get", cut)).toBe(INVALID_ARGUMENT);
  });

  test("group tags -> INVALID_ARGUMENT", async () => {
    const group = Buffer.concat([
      GetRequest.encode(GetRequest.fromPartial({ target })).finish(),
      Buffer.of(0x9b, 0x06, 0x9c, 0x06),
    ]);
    expect(await rawCall(api, "/keelson.api.v1.Resources/Get", grpcFrame(group))).toBe(INVALID_ARGUMENT);
    expect(await rawCall(api, "/keelson.api.v1.Resources/Get", grpcFrame(Buffer.of(0x0c)))).toBe(INVALID_ARGUMENT);
    expect(await codeOfMessage(Buffer.concat([named("group"), Buffer.of(0x0b, 0x0c)]))).toBe("INVALID_ARGUMENT");
  });

  test("recursion > 100 -> INVALID_ARGUMENT", async () => {
    const deep = `{"metadata":{"name":"deep"},"x":${"[".repeat(150)}${"]".repeat(150)}}`;
    expect(await codeOfBytes(Buffer.from(deep), Encoding.ENCODING_JSON)).toBe("INVALID_ARGUMENT");
  });

  test("varint > 10 B -> INVALID_ARGUMENT", async () => {
    const long = Buffer.concat([Buffer.of(0x20), Buffer.alloc(11, 0x80), Buffer.of(0)]);
    expect(await codeOfMessage(Buffer.concat([named("varint"), long]))).toBe("INVALID_ARGUMENT");
  });

  test("packed bomb -> INVALID_ARGUMENT", async () => {
    // Empty map entries: two bytes each on the wire, an entry each in memory.
    const entries = Buffer.alloc(2_400_000);
    for (let at = 0; at < entries.length; at += 2) entries.set([0x12, 0x00], at);
    expect(await codeOfMessage(Buffer.concat([named("packed"), entries]))).toBe("INVALID_ARGUMENT");
  });

  test("> 4 MiB (after decompression too) RESOURCE_EXHAUSTED", async () => {
    expect(await codeOfBytes(Buffer.alloc(5 * 2 ** 20))).toBe("RESOURCE_EXHAUSTED");
    const bomb = grpcFrame(gzipSync(Buffer.alloc(64 * 2 ** 20)), 1);
    const code = await rawCall(api, "/keelson.api.v1.Resources/Create", bomb, { "grpc-encoding": "gzip" });
    expect(code).toBe(RESOURCE_EXHAUSTED);
  });

  test("unknown method UNIMPLEMENTED", async () => {
    expect(await rawCall(api, "/keelson.api.v1.Resources/Nothing", grpcFrame(Buffer.alloc(0)))).toBe(UNIMPLEMENTED);
    expect(await rawCall(api, "/keelson.api.v1.Nothing/Get", grpcFrame(Buffer.alloc(0)))).toBe(UNIMPLEMENTED);
  });

  test("no creds UNAUTHENTICATED", async () => {
    const nameless = channelAs(await api.clientCertificate("", []));
    const request = GetRequest.fromPartial({ target: { ...target, name: "good" } });
    expect(await codeOf(nameless.client(ResourcesDefinition).get(request))).toBe("UNAUTHENTICATED");
    nameless.close();
  });

  test("conflict ABORTED", async () => {
    const object = { metadata: { name: "good", namespace: "default", resourceVersion: "1" } };
    const request = UpdateRequest.fromPartial({
      target: { ...target, name: "good" },
      object: { encoding: Encoding.ENCODING_JSON, data: Buffer.from(JSON.stringify(object)) },
    });
    expect(await codeOf(resources.update(request))).toBe("ABORTED");
  });

  test("gone OUT_OF_RANGE", async () => {
    const { resourceVersion } = await api.client.list(configMaps);
    for (let index = 0; index < 20; index++) {
      await api.client.create(configMaps, { metadata: { name: `gone-${index}`, namespace: "default" } });
    }
    const watch = async (): Promise<void> => {
      for await (const _ of resources.watch(WatchRequest.fromPartial({ target, resourceVersion }))) break;
    };
    expect(await codeOf(watch())).toBe("OUT_OF_RANGE");
  });

  test("invalid UTF-8 string INVALID_ARGUMENT", async () => {
    const bad = field(1, field(1, Buffer.of(0xff, 0xfe)));
    expect(await codeOfMessage(bad)).toBe("INVALID_ARGUMENT");
    const request = GetRequest.encode(GetRequest.fromPartial({ target: { ...target, name: "AAAA" } })).finish();
    const broken = Buffer.from(request);
    broken.fill(0xff, broken.indexOf("AAAA"), broken.indexOf("AAAA") + 4);
    expect(await rawCall(api, "/keelson.api.v1.Resources/Get", grpcFrame(broken))).toBe(INVALID_ARGUMENT);
    const version = GetRequest.fromPartial({ target: { ...target, name: "good" }, resourceVersion: "BB" });
    const inVersion = Buffer.from(GetRequest.encode(version).finish());
    inVersion.fill(0xff, inVersion.indexOf("BB"));
    expect(await rawCall(api, "/keelson.api.v1.Resources/Get", grpcFrame(inVersion))).toBe(INVALID_ARGUMENT);
  });

  test("deadline honoured and work cancelled", async () => {
    const startMs = performance.now();
    const watch = async (): Promise<void> => {
      for await (const _ of resources.watch(WatchRequest.fromPartial({ target }), { timeoutMs: 300 }));
    };
    expect(await codeOf(watch())).toBe("DEADLINE_EXCEEDED");
    expect(performance.now() - startMs).toBeLessThan(3_000);
    const metrics = async (): Promise<string> => (await api.send("GET", "/metrics")).text;
    await expect.poll(metrics).toContain('apiserver_longrunning_requests{verb="WATCH",resource="configmaps"} 0');
  });
});
