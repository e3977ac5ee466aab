import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMaps } from "../../lib/gen/k8s/resources.ts";
import { Encoding } from "../../lib/gen/keelson/api/v1/resources.ts";
import {
  KindServiceApplyRequest,
  KindServiceCreateRequest,
  KindServiceDefinition,
  KindServiceGetRequest,
  KindServiceUpdateRequest,
  KindServiceWatchRequest,
} from "../../lib/gen/keelson/kind/v1/kind_service.ts";
import { GrpcChannel, type ServiceClient } from "../../lib/transport/grpc-client.ts";
import type { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { field, grpcFrame, named, rawCall, text } from "./raw-grpc.ts";

const SERVICE = "keelson.api.core.v1.ConfigMapService";
const [INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED] = ["3", "8", "12"];

let api: ApiFixture;
let channel: GrpcChannel;
let maps: ServiceClient<typeof KindServiceDefinition>;

beforeAll(async () => {
  api = await startApi({ ring: { events: 4, sizeBytes: 1024 * 1024 } });
  const tls = { caPem: api.serverCaPem, certPem: api.admin.certPem, keyPem: api.admin.keyPem };
  channel = new GrpcChannel({ target: `127.0.0.1:${api.api.grpcPort}`, tls });
  // Typed services have the form of their pattern.
  maps = channel.client({ ...KindServiceDefinition, fullName: SERVICE });
});

afterAll(async () => {
  channel.close();
  await api.stop();
});

/** The status of a create with these bytes in the place of the ConfigMap. */
async function statusOfObject(object: Uint8Array): Promise<string> {
  return await statusOfCreate(Buffer.concat([field(1, text("default")), field(2, object)]));
}

async function statusOfCreate(request: Uint8Array): Promise<string> {
  return await rawCall(api, `/${SERVICE}/Create`, grpcFrame(request));
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "OK",
    (error: unknown) => (error as RpcError).code,
  );
}

describe("typed services", () => {
  test("a good message is taken, so that the bad ones below are refused for what is bad", async () => {
    expect(await statusOfObject(named("good"))).toBe("0");
  });

  test("bad wire type", async () => {
    expect(await statusOfObject(Buffer.of(0x08, 0x01))).toBe(INVALID_ARGUMENT);
    expect(await statusOfCreate(Buffer.concat([field(2, named("x")), Buffer.of(0x0f)]))).toBe(INVALID_ARGUMENT);
  });

  test("truncated", async () => {
    const request = Buffer.concat([field(1, text("default")), field(2, named("cut"))]);
    for (let length = 1; length < request.length; length++) {
      expect(await statusOfCreate(request.subarray(0, length)), String(length)).toBe(INVALID_ARGUMENT);
    }
    for (let length = 1; length < named("cut").length; length++) {
      expect(await statusOfObject(named("cut").subarray(0, length)), String(length)).toBe(INVALID_ARGUMENT);
    }
  });

  test("group tags, and varints that do not end", async () => {
    expect(await statusOfObject(Buffer.concat([named("group"), Buffer.of(0x0b, 0x0c)]))).toBe(INVALID_ARGUMENT);
    expect(await statusOfCreate(Buffer.concat([field(2, named("x")), Buffer.of(0x9b, 0x06, 0x9c, 0x06)]))).toBe(
      INVALID_ARGUMENT,
    );
    const long = Buffer.concat([Buffer.of(0x20), Buffer.alloc(11, 0x80), Buffer.of(0)]);
    expect(await statusOfObject(Buffer.concat([named("varint"), long]))).toBe(INVALID_ARGUMENT);
    expect(await statusOfCreate(Buffer.concat([field(2, named("varint")), long]))).toBe(INVALID_ARGUMENT);
  });

  test("recursion", async () => {
    const deep = `{"x":${"[".repeat(150)}${"]".repeat(150)}}`;
    const configuration = { encoding: Encoding.ENCODING_JSON, data: Buffer.from(deep) };
    const options = { fieldManager: "me" };
    const request = { namespace: "default", name: "deep", configuration, options };
    expect(await codeOf(maps.apply(KindServiceApplyRequest.fromPartial(request)))).toBe("INVALID_ARGUMENT");
  });

  test("few bytes that would be much memory", async () => {
    const entries = Buffer.alloc(2_400_000);
    for (let at = 0; at < entries.length; at += 2) entries.set([0x12, 0x00], at);
    expect(await statusOfObject(Buffer.concat([named("packed"), entries]))).toBe(INVALID_ARGUMENT);
  });

  test("more than 4 MiB, also after decompression", async () => {
    expect(await statusOfObject(Buffer.alloc(5 * 2 ** 20))).toBe(RESOURCE_EXHAUSTED);
    const bomb = grpcFrame(gzipSync(Buffer.alloc(64 * 2 ** 20)), 1);
    expect(await rawCall(api, `/${SERVICE}/Create`, bomb, { "grpc-encoding": "gzip" })).toBe(RESOURCE_EXHAUSTED);
  });

  test("text that is no UTF-8, in the request and in the object", async () => {
    expect(await statusOfObject(field(1, field(1, Buffer.of(0xff, 0xfe))))).toBe(INVALID_ARGUMENT);
    expect(await statusOfCreate(Buffer.concat([field(1, Buffer.of(0xff)), field(2, named("x"))]))).toBe(
      INVALID_ARGUMENT,
    );
  });

  test("no object, no name, and an encoding that no message has", async () => {
    expect(await statusOfCreate(field(1, text("default")))).toBe(INVALID_ARGUMENT);
    const nameless = KindServiceGetRequest.fromPartial({ namespace: "default" });
    expect(await codeOf(maps.get(nameless))).toBe("INVALID_ARGUMENT");
    const options = { answerEncoding: Encoding.ENCODING_JSON };
    const inJson = KindServiceCreateRequest.fromPartial({ namespace: "default", object: named("json"), options });
    expect(await codeOf(maps.create(inJson))).toBe("INVALID_ARGUMENT");
  });

  test("names that are paths", async () => {
    for (const name of ["..", "a/b", "a\0b"]) {
      const request = KindServiceGetRequest.fromPartial({ namespace: "default", name });
      expect(await codeOf(maps.get(request)), name).toBe("NOT_FOUND");
    }
  });

  test.each([
    `/${SERVICE}/Nothing`,
    `/${SERVICE}/UpdateStatus`,
    "/keelson.api.core.v1.NamespaceService/DeleteCollection",
    "/keelson.api.core.v1.PodService/CreateExec",
    "/keelson.kind.v1.KindService/Get",
  ])("%s does not exist", async (path) => {
    expect(await rawCall(api, path, grpcFrame(Buffer.alloc(0)))).toBe(UNIMPLEMENTED);
  });

  test("conflict and gone", async () => {
    const stale = Buffer.concat([field(1, Buffer.concat([field(1, text("good")), field(6, text("1"))]))]);
    const update = KindServiceUpdateRequest.fromPartial({ namespace: "default", name: "good", object: stale });
    expect(await codeOf(maps.update(update))).toBe("ABORTED");
    const { resourceVersion } = await api.client.list(configMaps);
    for (let index = 0; index < 20; index++) {
      await api.client.create(configMaps, { metadata: { name: `gone-${index}`, namespace: "default" } });
    }
    const watch = async (): Promise<void> => {
      const request = KindServiceWatchRequest.fromPartial({ namespace: "default", resourceVersion });
      for await (const _ of maps.watch(request)) break;
    };
    expect(await codeOf(watch())).toBe("OUT_OF_RANGE");
  });
});
