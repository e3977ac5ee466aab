import { once } from "node:events";
import { connect } from "node:http2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../core/log.ts";
import { WatchDefinition, WatchRequest, WatchResponse } from "../gen/etcd/etcdserverpb/rpc.ts";
import { HealthCheckResponse_ServingStatus, HealthDefinition } from "../gen/grpc/health/v1/health.ts";
import { GrpcChannel } from "./grpc-client.ts";
import { GrpcServer } from "./grpc-server.ts";
import { RpcError } from "./rpc-error.ts";

describe("a server and a client over a loopback port", () => {
  let server: GrpcServer;
  let channel: GrpcChannel;
  let cancelled = 0;
  let address: string;

  beforeEach(async () => {
    cancelled = 0;
    server = new GrpcServer({ log: silentLog });
    server.addService(HealthDefinition, {
      check: async (request, call) => {
        if (request.service === "slow") {
          await new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve()));
          cancelled++;
        }
        if (request.service === "missing")
          throw new RpcError("NOT_FOUND", "no such service", { details: Uint8Array.of(1, 2) });
        if (request.service === "broken") throw new Error("private text");
        return { status: HealthCheckResponse_ServingStatus.SERVING };
      },
      async *watch(_request, call) {
        for (let i = 0; i < 3; i++) yield { status: HealthCheckResponse_ServingStatus.SERVING };
        await new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve()));
        cancelled++;
      },
    });
    server.addService(WatchDefinition, {
      async *watch(requests) {
        for await (const request of requests)
          yield WatchResponse.fromPartial({ watchId: BigInt(request.requestUnion?.$case === "cancelRequest" ? 7 : 1) });
      },
    });
    address = `127.0.0.1:${await server.listen("127.0.0.1:0")}`;
    channel = new GrpcChannel({ target: address });
  });
  afterEach(async () => {
    channel.close();
    await server.stop();
  });

  test("a unary call answers", async () => {
    expect(await channel.client(HealthDefinition).check({ service: "" })).toEqual({
      status: HealthCheckResponse_ServingStatus.SERVING,
    });
  });

  test("an RpcError crosses the wire with code, message and details", async () => {
    const failed = await channel
      .client(HealthDefinition)
      .check({ service: "missing" })
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(RpcError);
    expect(failed).toMatchObject({ code: "NOT_FOUND", message: "no such service" });
    expect([...((failed as RpcError).details ?? [])]).toEqual([1, 2]);
  });

  test("an unknown throw stays private", async () => {
    const failed = await channel
      .client(HealthDefinition)
      .check({ service: "broken" })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "INTERNAL", message: "internal error" });
  });

  test("a stream ends when its reader leaves, and the server hears of it", async () => {
    let seen = 0;
    for await (const _answer of channel.client(HealthDefinition).watch({ service: "" })) {
      if (++seen === 3) break;
    }
    expect(seen).toBe(3);
    await expect.poll(() => cancelled).toBe(1);
  });

  test("a signal cancels a call", async () => {
    const abort = new AbortController();
    const failed = (async () => {
      for await (const _answer of channel.client(HealthDefinition).watch({ service: "" }, { signal: abort.signal }))
        abort.abort();
    })().catch((error: unknown) => error);
    expect(await failed).toMatchObject({ code: "CANCELLED" });
  });

  test("a unary call that is cancelled, or whose time is over, is over for its handler", async () => {
    const health = channel.client(HealthDefinition);
    const late = health.check({ service: "slow" }, { timeoutMs: 50 });
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await expect.poll(() => cancelled).toBe(1);
    const abort = new AbortController();
    const left = health.check({ service: "slow" }, { signal: abort.signal });
    abort.abort();
    await expect(left).rejects.toMatchObject({ code: "CANCELLED" });
  });

  test("the server itself ends a call at its deadline, whatever the client does", async () => {
    const session = connect(`http://${address}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-timeout": "50m",
    });
    // A request for the service `slow`.
    stream.end(Buffer.concat([Buffer.of(0, 0, 0, 0, 6, 0x0a, 4), Buffer.from("slow")]));
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(headers["grpc-status"]).toBe("4");
    await expect.poll(() => cancelled).toBe(1);
    session.destroy();
  });

  test("both directions stream", async () => {
    const call = channel.client(WatchDefinition).watch();
    const answers = call[Symbol.asyncIterator]();
    await call.write(WatchRequest.fromPartial({ requestUnion: { $case: "cancelRequest", value: { watchId: 7n } } }));
    expect((await answers.next()).value?.watchId).toBe(7n);
    await call.write(WatchRequest.fromPartial({}));
    expect((await answers.next()).value?.watchId).toBe(1n);
    call.end();
    expect((await answers.next()).done).toBe(true);
  });

  test("what cannot be decoded is INVALID_ARGUMENT, whatever the kind of call", async () => {
    const garbage = { encode: () => ({ finish: () => Uint8Array.of(0x0a, 0xff, 0x01) }), decode: () => ({}) };
    const { check, watch } = HealthDefinition.methods;
    const health = channel.client({
      ...HealthDefinition,
      methods: { check: { ...check, requestType: garbage }, watch: { ...watch, requestType: garbage } },
    });
    await expect(health.check({})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const streamed = async () => {
      for await (const _answer of health.watch({}));
    };
    await expect(streamed()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const both = channel.client({
      ...WatchDefinition,
      methods: { watch: { ...WatchDefinition.methods.watch, requestType: garbage } },
    });
    const call = both.watch();
    void call.write({});
    await expect(call[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
