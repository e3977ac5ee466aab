import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
});

afterAll(async () => {
  await api.stop();
});

function tls(protocol: "http/1.1" | "h2"): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { admin, port, serverCaPem: ca } = api;
    const socket = connectTls({
      host: "127.0.0.1",
      port,
      ca,
      cert: admin.certPem,
      key: admin.keyPem,
      ALPNProtocols: [protocol],
    });
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Everything that comes until the other side closes, and after how long it did. */
function untilClosed(socket: Socket): Promise<{ text: string; afterMs: number }> {
  const startMs = performance.now();
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("close", () => resolve({ text, afterMs: performance.now() - startMs })));
}

async function stillServes(): Promise<void> {
  expect((await api.send("GET", "/readyz")).status).toBe(200);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, Buffer.alloc(0))]);
const HEADERS = 1;
const RST_STREAM = 3;
const GOAWAY = 7;

/** Types of the HTTP/2 frames in a text of bytes. */
function frameTypes(text: string): number[] {
  const bytes = Buffer.from(text, "latin1");
  const types: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) types.push(bytes[at + 3]!);
  return types;
}

/** Why streams were reset, in order. */
function resetCodes(text: string): number[] {
  const bytes = Buffer.from(text, "latin1");
  const codes: number[] = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === RST_STREAM && at + 13 <= bytes.length) codes.push(bytes.readUInt32BE(at + 9));
  }
  return codes;
}

/** :method GET, :scheme https, this path, :authority x. */
function headerBlock(path: string, method = 0x82): Buffer {
  return Buffer.concat([
    Buffer.of(method, 0x87, 0x04, path.length),
    Buffer.from(path),
    Buffer.of(0x41, 1),
    Buffer.from("x"),
  ]);
}

describe.concurrent("REST conns", () => {
  test("slow headers/body: 408/close at 10 s", { timeout: 30_000 }, async () => {
    const [headers, body] = await Promise.all([tls("http/1.1"), tls("http/1.1")]);
    headers.write("GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    body.write("POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
    const drip = setInterval(() => {
      headers.write("a");
      body.write(" ");
    }, 1000);
    const answers = await Promise.all([untilClosed(headers), untilClosed(body)]);
    clearInterval(drip);
    for (const { text, afterMs } of answers) {
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(afterMs).toBeGreaterThan(8_000);
      expect(afterMs).toBeLessThan(14_000);
    }
  });

  test("slow headers/body over HTTP/2: close/408 at 10 s", { timeout: 30_000 }, async () => {
    const [silent, headers, body] = await Promise.all([tls("h2"), tls("h2"), tls("h2")]);
    const block = headerBlock("/version");
    headers.write(Buffer.concat([PREFACE, frame(1, 4, 1, block).subarray(0, 12)]));
    const post = headerBlock("/api/v1/namespaces/default/configmaps", 0x83);
    body.write(Buffer.concat([PREFACE, frame(1, 4, 1, post)]));
    let at = 12;
    const drip = setInterval(() => {
      headers.write(frame(1, 4, 1, block).subarray(at, ++at));
      body.write(frame(0, 0, 1, Buffer.from(" ")));
    }, 2000);
    setTimeout(() => body.destroySoon(), 13_000);
    const [nothing, half, late] = await Promise.all([silent, headers, body].map(untilClosed));
    clearInterval(drip);
    for (const answer of [nothing, half]) {
      expect(answer?.afterMs).toBeGreaterThan(8_000);
      expect(answer?.afterMs).toBeLessThan(12_500);
    }
    expect(half?.text).not.toContain("gitVersion");
    expect(late?.text).toContain("the body of the request did not arrive in time");
    await stillServes();
  });

  test("TLS handshake > 10 s closed (etcd GHSA-6vch)", { timeout: 30_000 }, async () => {
    const hello = Buffer.from("16030100c8010000c40303", "hex");
    const starts = [api.port, api.api.grpcPort].flatMap((port) => [
      { port, bytes: Buffer.alloc(0) },
      { port, bytes: hello },
    ]);
    await Promise.all(
      starts.map(async ({ port, bytes }) => {
        const socket = connectTcp({ host: "127.0.0.1", port });
        socket.write(bytes);
        const { afterMs } = await untilClosed(socket);
        expect(afterMs).toBeGreaterThan(8_000);
        expect(afterMs).toBeLessThan(14_000);
      }),
    );
  });

  test("rapid reset -> GOAWAY", { timeout: 30_000 }, async () => {
    const socket = await tls("h2");
    const closed = untilClosed(socket);
    socket.write(PREFACE);
    const block = headerBlock("/version");
    const reset = Buffer.alloc(4);
    reset.writeUInt32BE(8);
    let stream = 1;
    while (!socket.destroyed && stream < 400_000) {
      const frames: Buffer[] = [];
      for (let index = 0; index < 500; index++, stream += 2) {
        frames.push(frame(1, 5, stream, block), frame(3, 0, stream, reset));
      }
      if (!socket.write(Buffer.concat(frames))) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    socket.destroySoon();
    const { text } = await closed;
    expect(frameTypes(text)).toContain(GOAWAY);
    await stillServes();
  });

  test("CONTINUATION flood -> GOAWAY", { timeout: 30_000 }, async () => {
    const socket = await tls("h2");
    const closed = untilClosed(socket);
    socket.write(PREFACE);
    socket.write(frame(1, 1, 1, Buffer.of(0x82)));
    const more = frame(
      9,
      0,
      1,
      Buffer.concat([Buffer.of(0x00, 1), Buffer.from("a"), Buffer.of(0x7f, 0x81, 0x7e), Buffer.alloc(16_256, 97)]),
    );
    for (let index = 0; index < 2_000 && !socket.destroyed; index++) {
      if (!socket.write(more)) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    socket.destroySoon();
    expect(frameTypes((await closed).text)).toContain(GOAWAY);
    await stillServes();
  });

  test("HPACK bomb -> GOAWAY", { timeout: 30_000 }, async () => {
    const socket = await tls("h2");
    const closed = untilClosed(socket);
    socket.write(PREFACE);
    const value = Buffer.alloc(4_000, 98);
    const entry = Buffer.concat([Buffer.of(0x40, 1), Buffer.from("b"), Buffer.of(0x7f, 0xa1, 0x1e), value]);
    // One entry of the dynamic table, and then a reference of one byte to it, many times.
    const block = Buffer.concat([entry, Buffer.alloc(16_000 - entry.length, 0xbe)]);
    for (let stream = 1; stream < 400 && !socket.destroyed; stream += 2) {
      if (!socket.write(frame(1, 5, stream, block))) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const ended = setTimeout(() => socket.destroySoon(), 3_000);
    const { text } = await closed;
    clearTimeout(ended);
    const types = frameTypes(text);
    // nghttp2 gives up each stream whose headers are too many, and the session when it is too bad: no handler sees one.
    expect(types).not.toContain(HEADERS);
    expect(types.includes(GOAWAY) || types.filter((type) => type === RST_STREAM).length >= 100).toBe(true);
    expect(process.memoryUsage().rss).toBeLessThan(1024 ** 3);
    await stillServes();
  });

  test("> N streams REFUSED_STREAM", { timeout: 30_000 }, async () => {
    const { admin, port, serverCaPem: ca } = api;
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca, cert: admin.certPem, key: admin.keyPem });
    await new Promise<void>((resolve) => session.once("remoteSettings", () => resolve()));
    const limit = session.remoteSettings.maxConcurrentStreams ?? 0;
    expect(limit).toBeGreaterThan(0);
    expect(limit).toBeLessThanOrEqual(1000);
    session.close();
    // Node's client keeps to the limit by itself, so the frames are written by hand.
    const socket = await tls("h2");
    const closed = untilClosed(socket);
    socket.write(PREFACE);
    const block = headerBlock("/api/v1/pods?watch=1");
    const frames: Buffer[] = [];
    for (let index = 0; index < limit + 20; index++) frames.push(frame(1, 5, index * 2 + 1, block));
    socket.write(Buffer.concat(frames));
    setTimeout(() => socket.destroySoon(), 2_000);
    expect(resetCodes((await closed).text)).toEqual(Array.from({ length: 20 }, () => constants.NGHTTP2_REFUSED_STREAM));
    await stillServes();
  });

  test("upgrade to unknown protocol 400", async () => {
    const socket = await tls("http/1.1");
    const closed = untilClosed(socket);
    socket.write(
      "GET /api/v1/namespaces/default/pods/x/exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: nonsense\r\n\r\n",
    );
    expect((await closed).text).toMatch(/^HTTP\/1\.1 400 /);
    await stillServes();
  });

  test("HTTP/2 answers as HTTP/1.1 does, many requests on one connection", async () => {
    const { admin, port, serverCaPem: ca } = api;
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca, cert: admin.certPem, key: admin.keyPem });
    const bodies = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const stream = session.request({ ":path": "/api/v1/namespaces" });
        let text = "";
        for await (const chunk of stream.setEncoding("utf8")) text += chunk as string;
        return text;
      }),
    );
    session.close();
    expect(new Set(bodies).size).toBe(1);
    expect(bodies[0]).toBe((await api.send("GET", "/api/v1/namespaces")).text);
  });
});
