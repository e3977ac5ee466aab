import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { HealthCheckResponse_ServingStatus, HealthDefinition } from "../../lib/gen/grpc/health/v1/health.ts";
import { GrpcServer } from "../../lib/transport/grpc-server.ts";
import { type ContainerState, type Runtime, RuntimeError } from "../runtime/runtime.ts";
import { HostProbeRunner } from "./probe-runner.ts";

const exec: Record<string, () => unknown> = {
  good: () => ({ exitCode: 0, stdout: "fine", stderr: "" }),
  bad: () => ({ exitCode: 1, stdout: "out", stderr: "err" }),
  slow: () => {
    throw new RuntimeError("timeout", "too slow");
  },
  away: () => {
    throw new RuntimeError("unavailable", "away");
  },
};
const runtime = { exec: async (_id: string, [word = ""]: string[]) => exec[word]?.() } as unknown as Runtime;
const runner = new HostProbeRunner(runtime);

let http: Server;
let port = 0;
const seen: Record<string, string | string[] | undefined>[] = [];
beforeAll(async () => {
  http = createServer((request, response) => {
    seen.push(request.headers);
    if (request.url === "/hang") return;
    response.writeHead(Number(request.url?.slice(1)), { location: "/elsewhere" });
    response.end("body");
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  port = (http.address() as AddressInfo).port;
});
afterAll(() => {
  http.closeAllConnections();
  http.close();
});

const target = () => ({
  container: { name: "web", ports: [{ name: "http", containerPort: port }] },
  state: { id: "c" } as ContainerState,
  podIp: "127.0.0.1",
});

describe("one question", () => {
  test.each([
    ["good", "success", "fine"],
    ["bad", "failure", "outerr"],
    ["slow", "failure", "command timed out after 1s"],
    ["away", "unknown", "away"],
  ])("exec: %s is %s", async (word, result, output) => {
    const answer = await runner.run({ exec: { command: [word] } }, target());
    expect(answer.result).toBe(result);
    expect(answer.output).toContain(output);
  });

  test.each([
    [200, "success"],
    [302, "success"],
    [399, "success"],
    [400, "failure"],
    [503, "failure"],
  ])("HTTP %i is %s", async (status, result) => {
    const answer = await runner.run({ httpGet: { path: `/${status}`, port: "http" } }, target());
    expect(answer).toEqual({ result, output: `HTTP probe failed with statuscode: ${status}` });
  });

  test("HTTP: says who asks, takes headers, gives up in time, and a closed port is a failure", async () => {
    const httpHeaders = [{ name: "X-Own", value: "1" }];
    await runner.run({ httpGet: { path: "/200", port, httpHeaders } }, target());
    expect(seen.at(-1)).toMatchObject({ "user-agent": "kube-probe/1.36", "x-own": "1", connection: "close" });
    const hung = await runner.run({ httpGet: { path: "/hang", port }, timeoutSeconds: 0.1 }, target());
    expect(hung.result).toBe("failure");
    expect(hung.output).toContain("context deadline exceeded");
    expect((await runner.run({ httpGet: { port: 1 } }, target())).result).toBe("failure");
  });

  test("TCP: open is enough", async () => {
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const open = (server.address() as AddressInfo).port;
    expect((await runner.run({ tcpSocket: { port: open } }, target())).result).toBe("success");
    await new Promise((resolve) => server.close(resolve));
    const closed = await runner.run({ tcpSocket: { port: open } }, target());
    expect(closed.output).toContain("connect: connection refused");
  });

  test("gRPC: the health service's word counts, and a server without it is not well", async () => {
    const server = new GrpcServer({ log: silentLog });
    server.addService(HealthDefinition, {
      check: async ({ service }) => {
        const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
        return { status: service === "well" ? SERVING : NOT_SERVING };
      },
    });
    const open = await server.listen("127.0.0.1:0");
    expect((await runner.run({ grpc: { port: open, service: "well" } }, target())).result).toBe("success");
    expect((await runner.run({ grpc: { port: open, service: "ill" } }, target())).result).toBe("failure");
    await server.stop();
    expect((await runner.run({ grpc: { port: open } }, target())).result).toBe("failure");
  });
});
