import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { TcpProxy } from "../kit/tcp-proxy.ts";

let server: Server;
let atServer: string;
let serverSockets: Socket[];
let proxy: TcpProxy;
let client: Socket;
let atClient: string;
let ends: string[];

beforeEach(async () => {
  atServer = "";
  atClient = "";
  serverSockets = [];
  ends = [];
  server = createServer({ allowHalfOpen: true }, (socket) => {
    serverSockets.push(socket);
    socket.on("data", (bytes) => {
      atServer += bytes;
    });
    socket.on("end", () => ends.push("server"));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await TcpProxy.start(`127.0.0.1:${(server.address() as { port: number }).port}`);
  client = await dial();
  await eventually(() => expect(serverSockets).toHaveLength(1));
});

afterEach(async () => {
  client.destroy();
  await proxy.stop();
  for (const socket of serverSockets) socket.destroy();
  server.close();
});

async function dial(): Promise<Socket> {
  const socket = connect({ port: Number(proxy.address.split(":")[1]), host: "127.0.0.1", allowHalfOpen: true });
  socket.on("data", (bytes) => {
    atClient += bytes;
  });
  socket.on("end", () => ends.push("client"));
  socket.on("error", () => ends.push("reset"));
  await once(socket, "connect");
  return socket;
}

/** That something does not come can only be seen after a while. */
async function aWhile(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
}

test("each direction stands still for itself, and nothing is lost", async () => {
  proxy.pause("toClient");
  client.write("up");
  serverSockets[0]!.write("down");
  await eventually(() => expect(atServer).toBe("up"));
  await aWhile();
  expect(atClient).toBe("");
  proxy.pause("toServer");
  proxy.resume("toClient");
  client.write(" more");
  await eventually(() => expect(atClient).toBe("down"));
  await aWhile();
  expect(atServer).toBe("up");
  proxy.heal();
  await eventually(() => expect(atServer).toBe("up more"));
});

test("what is delayed is late, in order", async () => {
  proxy.delay(150, "toServer");
  const sentMs = performance.now();
  client.write("late");
  client.write(" and later");
  await eventually(() => expect(atServer).toBe("late and later"), { intervalMs: 5 });
  expect(performance.now() - sentMs).toBeGreaterThan(140);
  proxy.delay(0);
  client.write(" and now");
  await eventually(() => expect(atServer).toBe("late and later and now"));
});

test("a slow line brings its bytes one after the other", async () => {
  proxy.throttle(20_000, "toServer");
  const sentMs = performance.now();
  client.write("x".repeat(10_000));
  await eventually(() => expect(atServer.length).toBeGreaterThan(0), { intervalMs: 1 });
  expect(atServer.length).toBeLessThan(10_000);
  await eventually(() => expect(atServer.length).toBe(10_000));
  expect(performance.now() - sentMs).toBeGreaterThan(450);
  proxy.throttle();
  client.write("y".repeat(1_000_000));
  await eventually(() => expect(atServer.length).toBe(1_010_000));
});

test("much more than it may hold comes through whole after a pause, half-closed connections live on", async () => {
  proxy.pause("toServer");
  const much = "x".repeat(8 * 1024 * 1024);
  client.end(much);
  serverSockets[0]!.write("still");
  await eventually(() => expect(atClient).toBe("still"));
  proxy.resume("toServer");
  await eventually(() => expect(atServer.length).toBe(much.length));
  await eventually(() => expect(ends).toEqual(["server"]));
  serverSockets[0]!.end(" here");
  await eventually(() => expect(atClient).toBe("still here"));
  await eventually(() => expect(proxy.counts.open).toBe(0));
});

test("connections are counted, cut and refused", async () => {
  expect(proxy.counts).toEqual({ accepted: 1, refused: 0, open: 1 });
  proxy.cut();
  await eventually(() => expect(ends).toContain("reset"));
  expect(proxy.counts.open).toBe(0);
  proxy.refuse();
  const refused = await dial().catch(() => undefined);
  await eventually(() => expect(proxy.counts.refused).toBe(1));
  refused?.destroy();
  proxy.admit();
  client = await dial();
  client.write("again");
  await eventually(() => expect(atServer).toBe("again"));
  expect(proxy.counts).toMatchObject({ accepted: 2, open: 1 });
});
