import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../core/log.ts";
import { HealthCheckResponse_ServingStatus, HealthDefinition } from "../gen/grpc/health/v1/health.ts";
import { RoleDefinition } from "../gen/keelson/role/v1/role.ts";
import { realClock } from "../process/real-clock.ts";
import { GrpcChannel } from "./grpc-client.ts";
import { RoleServer } from "./role-server.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "role-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SCHEDULER = { role: "scheduler", instance: "host_1", ready: true, leading: true, detail: "" };

test("a role tells who it is and whether it is ready, on a unix socket", async () => {
  const socket = path.join(folder, "role.sock");
  let described = SCHEDULER;
  const components = { clock: realClock, log: silentLog, describe: () => described };
  const server = new RoleServer(components, { listen: `unix:${socket}` });
  await server.start();
  const channel = new GrpcChannel({ target: `unix://${socket}` });
  try {
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(await channel.client(RoleDefinition).describe({})).toEqual(SCHEDULER);
    const health = channel.client(HealthDefinition);
    const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
    expect(await health.check({ service: "" })).toEqual({ status: SERVING });
    expect(await health.check({ service: "keelson.role.v1.Role" })).toEqual({ status: SERVING });
    await expect(health.check({ service: "keelson.role.v1.Nothing" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    described = { ...SCHEDULER, ready: false, detail: "the api-server cannot be reached" };
    expect(await channel.client(RoleDefinition).describe({})).toEqual(described);
    expect(await health.check({ service: "" })).toEqual({ status: NOT_SERVING });
  } finally {
    channel.close();
    await server.stop();
  }
});

test("a socket that a killed process left is taken over; one that is listened on is not, nor is a file", async () => {
  const socket = path.join(folder, "role.sock");
  const open = () =>
    new RoleServer({ clock: realClock, log: silentLog, describe: () => SCHEDULER }, { listen: `unix:${socket}` });
  const first = open();
  await first.start();
  await expect(open().start()).rejects.toThrow();
  await first.stop();

  // Node takes the file of a server's socket away when it closes: only a child that is killed leaves one.
  const left = createServer();
  await new Promise<void>((resolve) => left.listen(path.join(folder, "other.sock"), resolve));
  renameSync(path.join(folder, "other.sock"), socket);
  await new Promise((resolve) => left.close(resolve));
  expect(existsSync(socket)).toBe(true);
  const second = open();
  await second.start();
  await second.stop();

  writeFileSync(socket, "precious");
  await expect(open().start()).rejects.toThrow();
  expect(existsSync(socket)).toBe(true);
});
