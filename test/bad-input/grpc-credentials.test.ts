import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { HealthDefinition } from "../../lib/gen/grpc/health/v1/health.ts";
import { ServerReflectionDefinition } from "../../lib/gen/grpc/reflection/v1/reflection.ts";
import { serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { GetRequest, ResourcesDefinition } from "../../lib/gen/keelson/api/v1/resources.ts";
import { KindServiceDefinition, KindServiceGetRequest } from "../../lib/gen/keelson/kind/v1/kind_service.ts";
import { Authority } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import type { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { grpcFrame } from "./raw-grpc.ts";

const UNAUTHENTICATED = "16";
const target = { group: "", version: "v1", resource: "namespaces", name: "default" };
const read = GetRequest.fromPartial({ target });

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

async function withChannel<T>(user: KeyPair | undefined, work: (channel: GrpcChannel) => Promise<T>): Promise<T> {
  const tls = { caPem: api.serverCaPem, ...user };
  const channel = new GrpcChannel({ target: `127.0.0.1:${api.api.grpcPort}`, tls });
  try {
    return await work(channel);
  } finally {
    channel.close();
  }
}

/** How a read of an object that every administrator may read ends. */
async function readAs(user: KeyPair | undefined, authorization?: string): Promise<string> {
  const options = authorization === undefined ? {} : { metadata: { authorization } };
  return await withChannel(user, (channel) => codeOf(channel.client(ResourcesDefinition).get(read, options)));
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "OK",
    (error: unknown) => (error as RpcError).code,
  );
}

/** A certificate that claims to be the administrator's, by an authority that has the name of ours and not its key. */
async function forged(): Promise<KeyPair> {
  const other = await Authority.create("client", realClock, realRandom);
  return await other.issue({
    commonName: "admin",
    organizations: ["system:masters"],
    usages: ["client"],
    validityDays: 1,
  });
}

async function tokenOf(account: string): Promise<string> {
  await api.client.create(serviceAccounts, { metadata: { name: account, namespace: "default" } });
  const body = JSON.stringify({
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [] },
  });
  const answer = await api.send("POST", `/api/v1/namespaces/default/serviceaccounts/${account}/token`, { body });
  return (answer.json()["status"] as { token: string }).token;
}

describe("credentials over gRPC", () => {
  test("the administrator's certificate is good, so that the others are refused for what they are", async () => {
    expect(await readAs(api.admin)).toBe("OK");
  });

  test("none: only health answers", async () => {
    expect(await readAs(undefined)).toBe("UNAUTHENTICATED");
    await withChannel(undefined, async (channel) => {
      const typed = { ...KindServiceDefinition, fullName: "keelson.api.core.v1.NamespaceService" };
      const get = channel.client(typed).get(KindServiceGetRequest.fromPartial({ name: "default" }));
      expect(await codeOf(get)).toBe("UNAUTHENTICATED");
      const reflection = channel.client(ServerReflectionDefinition).serverReflectionInfo();
      await reflection.write({ host: "", messageRequest: { $case: "listServices", value: "" } });
      expect(await codeOf(reflection[Symbol.asyncIterator]().next())).toBe("UNAUTHENTICATED");
      expect((await channel.client(HealthDefinition).check({ service: "" })).status).toBe(1);
    });
  });

  test("a certificate that another authority signed is as good as none", async () => {
    expect(await readAs(await forged())).toBe("UNAUTHENTICATED");
  });

  test("a certificate that signed itself is as good as none", async () => {
    const { certPem, keyPem } = await Authority.create("admin", realClock, realRandom);
    expect(await readAs({ certPem, keyPem })).toBe("UNAUTHENTICATED");
  });

  test("a TLS session taken up again does not make it better", async () => {
    const bad = await forged();
    const first = await tlsConnection(bad);
    const session = await once(first.socket, "session").then(([ticket]) => ticket as Buffer);
    expect(await statusOf(first.http2)).toBe(UNAUTHENTICATED);
    first.http2.destroy();
    const again = await tlsConnection(bad, session);
    expect(again.socket.isSessionReused()).toBe(true);
    expect(await statusOf(again.http2)).toBe(UNAUTHENTICATED);
    again.http2.destroy();
  });

  test("a session without a certificate stays without", async () => {
    const first = await tlsConnection(undefined);
    const session = await once(first.socket, "session").then(([ticket]) => ticket as Buffer);
    expect(await statusOf(first.http2)).toBe(UNAUTHENTICATED);
    first.http2.destroy();
    const again = await tlsConnection(api.admin, session);
    expect(again.socket.isSessionReused()).toBe(true);
    expect(await statusOf(again.http2)).toBe(UNAUTHENTICATED);
    again.http2.destroy();
  });

  test("a token is enough, and is judged by what it names", async () => {
    const token = await tokenOf("reader");
    await withChannel(undefined, async (channel) => {
      const denied = channel.client(ResourcesDefinition).get(read, { metadata: { authorization: `Bearer ${token}` } });
      await expect(denied).rejects.toMatchObject({
        code: "PERMISSION_DENIED",
        message: expect.stringContaining('User "system:serviceaccount:default:reader"'),
      });
    });
    expect(await readAs(await forged(), `Bearer ${token}`)).toBe("PERMISSION_DENIED");
  });

  test.each(["Bearer nonsense", "Basic YTpi", "Bearer ", "nonsense"])("%s is refused", async (authorization) => {
    expect(await readAs(undefined, authorization)).toBe("UNAUTHENTICATED");
  });
});

async function tlsConnection(
  user: KeyPair | undefined,
  session?: Buffer,
): Promise<{ socket: TLSSocket; http2: ClientHttp2Session }> {
  const { grpcPort: port } = api.api;
  const credentials = user === undefined ? {} : { cert: user.certPem, key: user.keyPem };
  const resumed = session === undefined ? {} : { session };
  const socket = connectTls({
    host: "127.0.0.1",
    port,
    ca: api.serverCaPem,
    ALPNProtocols: ["h2"],
    ...credentials,
    ...resumed,
  });
  await once(socket, "secureConnect");
  return { socket, http2: connectHttp2(`https://127.0.0.1:${port}`, { createConnection: () => socket }) };
}

async function statusOf(http2: ClientHttp2Session): Promise<string> {
  const stream = http2.request({
    ":method": "POST",
    ":path": "/keelson.api.v1.Resources/Get",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.end(grpcFrame(GetRequest.encode(read).finish()));
  stream.resume();
  return await new Promise((resolve, reject) => {
    const look = (got: Record<string, unknown>): void => {
      if (got["grpc-status"] !== undefined) resolve(String(got["grpc-status"]));
    };
    stream.on("response", look).on("trailers", look).on("error", reject);
  });
}
