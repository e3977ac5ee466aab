import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { silentLog } from "../../lib/core/log.ts";
import { MemoryBus } from "../../lib/events/memory-bus.ts";
import { ServerReflectionDefinition } from "../../lib/gen/grpc/reflection/v1/reflection.ts";
import { EventsDefinition } from "../../lib/gen/keelson/events/v1/events_service.ts";
import { RoleDefinition } from "../../lib/gen/keelson/role/v1/role.ts";
import { Authority } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { RoleServer } from "../../lib/transport/role-server.ts";
import type { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { field, grpcFrame, rawCall, text } from "./raw-grpc.ts";

const [OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED] = ["0", "3", "8", "12"];
const SCHEDULER = { role: "scheduler", instance: "host_1", ready: true, leading: true, detail: "" };

let api: ApiFixture;
let roleServer: RoleServer;
let rolePort = 0;
const folder = mkdtempSync(path.join(tmpdir(), "keelson-grpc-roles-"));

beforeAll(async () => {
  api = await startApi({ bus: new MemoryBus() });
  const { server, client } = api.authorities;
  const pair = await server.issue({
    commonName: "node",
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validityDays: 1,
  });
  const components = { clock: realClock, log: silentLog, describe: () => SCHEDULER };
  roleServer = new RoleServer(components, { listen: "127.0.0.1:0", tls: { ...pair, clientCaPem: client.certPem } });
  await roleServer.start();
  rolePort = Number(roleServer.address.split(":").at(-1));
});
afterAll(async () => {
  await roleServer.stop();
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function codeAt(port: number, user: KeyPair | undefined, ask: (channel: GrpcChannel) => Promise<unknown>) {
  const channel = new GrpcChannel({ target: `127.0.0.1:${port}`, tls: { caPem: api.serverCaPem, ...user } });
  try {
    return await ask(channel).then(
      () => "OK",
      (error: unknown) => (error as RpcError).code,
    );
  } finally {
    channel.close();
  }
}

const join = (userPublicKey: string) => (channel: GrpcChannel) =>
  channel.client(EventsDefinition).join({ userPublicKey });
const describes = (channel: GrpcChannel) => channel.client(RoleDefinition).describe({});

/** What every service must refuse by itself, whatever its messages are; `good` is one that it takes. */
const SERVICES: readonly (readonly [method: string, good: Buffer, at: () => number])[] = [
  ["keelson.events.v1.Events/Join", Buffer.alloc(0), () => api.api.grpcPort],
  ["keelson.role.v1.Role/Describe", Buffer.alloc(0), () => rolePort],
  ["grpc.health.v1.Health/Check", Buffer.alloc(0), () => rolePort],
  ["grpc.health.v1.Health/Check", Buffer.alloc(0), () => api.api.grpcPort],
];

describe.each(SERVICES)("%s", (method, good, at) => {
  const send = (message: Buffer, headers = {}) =>
    rawCall({ ...api, api: { grpcPort: at() } }, `/${method}`, message, headers);

  test("takes a good message, and refuses what is no message", async () => {
    expect(await send(grpcFrame(good))).toBe(OK);
    const long = Buffer.concat([Buffer.of(0x08), Buffer.alloc(11, 0x80), Buffer.of(0)]);
    for (const bad of [
      Buffer.of(0x0a, 0x05, 0x61),
      Buffer.of(0x0f),
      Buffer.of(0x0c, 0x08),
      Buffer.of(0x9b, 0x06, 0x9c, 0x06),
      long,
    ]) {
      expect([bad.toString("hex"), await send(grpcFrame(bad))]).toEqual([bad.toString("hex"), INVALID_ARGUMENT]);
    }
  });

  test("refuses what is too large, also when it is unpacked", async () => {
    expect(await send(grpcFrame(field(99, Buffer.alloc(5 * 2 ** 20))))).toBe(RESOURCE_EXHAUSTED);
    const bomb = grpcFrame(gzipSync(Buffer.alloc(64 * 2 ** 20)), 1);
    expect(await send(bomb, { "grpc-encoding": "gzip" })).toBe(RESOURCE_EXHAUSTED);
  });

  test("has no other methods", async () => {
    expect(await rawCall({ ...api, api: { grpcPort: at() } }, `/${method}s`, grpcFrame(good))).toBe(UNIMPLEMENTED);
  });
});

describe("Events.Join", () => {
  const at = () => api.api.grpcPort;

  test("text that is no UTF-8, and keys that are no user's", async () => {
    const path = "/keelson.events.v1.Events/Join";
    expect(await rawCall(api, path, grpcFrame(field(1, Buffer.of(0xff, 0xfe))))).toBe(INVALID_ARGUMENT);
    expect(await rawCall(api, path, grpcFrame(field(1, text("U"))))).toBe(INVALID_ARGUMENT);
    for (const key of ["nonsense", "U".repeat(56), "U".repeat(100_000), "SUAM\0", "AD4S5ULBUGBM3ICYN6IYWMVT", "*.>"]) {
      expect([key.slice(0, 10), await codeAt(at(), api.admin, join(key))]).toEqual([
        key.slice(0, 10),
        "INVALID_ARGUMENT",
      ]);
    }
  });

  test("without credentials, or with those of another authority, nobody learns where the bus is", async () => {
    expect(await codeAt(at(), undefined, join(""))).toBe("UNAUTHENTICATED");
    const foreign = await Authority.create("client", realClock, realRandom);
    const other = await foreign.issue({
      commonName: "admin",
      organizations: ["system:masters"],
      usages: ["client"],
      validityDays: 1,
    });
    expect(await codeAt(at(), other, join(""))).toBe("UNAUTHENTICATED");
    expect(await codeAt(at(), api.admin, join(""))).toBe("OK");
  });
});

describe("the server of a role", () => {
  test("lets in who has a certificate of its client authority, to everything or to nothing", async () => {
    const reflects = async (channel: GrpcChannel) => {
      const calls = channel.client(ServerReflectionDefinition).serverReflectionInfo();
      await calls.write({ host: "", messageRequest: { $case: "listServices", value: "" } });
      return await calls[Symbol.asyncIterator]().next();
    };
    const foreign = await Authority.create("client", realClock, realRandom);
    const other = await foreign.issue({ commonName: "x", usages: ["client"], validityDays: 1 });
    for (const ask of [describes, reflects]) {
      expect(await codeAt(rolePort, api.admin, ask)).toBe("OK");
      expect(await codeAt(rolePort, undefined, ask)).toBe("UNAVAILABLE");
      expect(await codeAt(rolePort, other, ask)).toBe("UNAVAILABLE");
    }
  });

  test("outlives bytes that are no TLS and no HTTP/2", async () => {
    const socket = path.join(folder, "role.sock");
    const plain = new RoleServer(
      { clock: realClock, log: silentLog, describe: () => SCHEDULER },
      { listen: `unix:${socket}` },
    );
    await plain.start();
    try {
      const junk = [Buffer.from("GET / HTTP/1.1\r\n\r\n"), realRandom.bytes(4096), Buffer.alloc(65_536, 0xff)];
      for (const where of [{ path: socket }, { port: rolePort, host: "127.0.0.1" }]) {
        for (const bytes of junk) {
          await new Promise<void>((resolve) => {
            const line = connect(where, () => line.end(bytes));
            line.on("error", () => {}).on("close", () => resolve());
            line.resume();
          });
        }
      }
      expect(await codeAt(rolePort, api.admin, describes)).toBe("OK");
      const channel = new GrpcChannel({ target: `unix://${socket}` });
      expect(await describes(channel)).toEqual(SCHEDULER);
      channel.close();
    } finally {
      await plain.stop();
    }
  });

  test("says what it cannot find out as not ready, and nothing of why", async () => {
    const socket = path.join(folder, "failing.sock");
    const describe = () => Promise.reject(new Error("secret reason"));
    const failing = new RoleServer({ clock: realClock, log: silentLog, describe }, { listen: `unix:${socket}` });
    await failing.start();
    const channel = new GrpcChannel({ target: `unix://${socket}` });
    const error = await describes(channel).catch((thrown: unknown) => thrown as RpcError);
    expect((error as RpcError).message).not.toContain("secret reason");
    channel.close();
    await failing.stop();
  });
});
