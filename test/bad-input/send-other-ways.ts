import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { ApiFixture, HttpAnswer, SendOptions } from "../api/api-fixture.ts";

/** How to reach the fixture's port with the admin's certificate. */
export function tlsOptions(api: ApiFixture, protocol: "h2" | "http/1.1" | undefined = undefined) {
  return {
    host: "127.0.0.1",
    port: api.port,
    ca: api.serverCaPem,
    cert: api.admin.certPem,
    key: api.admin.keyPem,
    ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
  };
}

/** A connection for bytes of one's own; never fails the process when the server hangs up. */
export async function openSocket(api: ApiFixture, protocol: "h2" | "http/1.1"): Promise<TLSSocket> {
  const socket = connectTls(tlsOptions(api, protocol));
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  return socket;
}

/** HTTP/1.1 without a Content-Length: the body comes in chunks. */
export async function sendChunked(
  api: ApiFixture,
  method: string,
  path: string,
  body: string,
  contentType = "application/json",
): Promise<HttpAnswer> {
  return await new Promise((resolve, reject) => {
    const headers = { "content-type": contentType, "transfer-encoding": "chunked" };
    const request = httpsRequest({ ...tlsOptions(api), method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(answerOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks))));
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** HTTP/2, all requests on one connection. */
export class Http2Sender {
  readonly #session: ClientHttp2Session;

  constructor(api: ApiFixture) {
    this.#session = connectHttp2(`https://127.0.0.1:${api.port}`, tlsOptions(api));
    this.#session.on("error", () => {});
  }

  async send(method: string, path: string, options: Omit<SendOptions, "as"> = {}): Promise<HttpAnswer> {
    const { body, headers = {} } = options;
    const type = body === undefined ? {} : { "content-type": "application/json" };
    return await new Promise((resolve, reject) => {
      const sent = { ":method": method, ":path": path, ...type, ...headers };
      const stream = this.#session.request(sent, { endStream: body === undefined });
      let answered: Record<string, string | string[] | undefined> = {};
      const chunks: Buffer[] = [];
      stream.on("response", (received) => {
        answered = received as typeof answered;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", reject);
      stream.on("end", () => resolve(answerOf(Number(answered[":status"]), answered, Buffer.concat(chunks))));
      if (body !== undefined) stream.end(Buffer.from(body));
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

function answerOf(status: number, headers: HttpAnswer["headers"], bytes: Buffer): HttpAnswer {
  const text = bytes.toString("utf8");
  return { status, headers, bytes, text, json: () => JSON.parse(text) as Record<string, unknown> };
}
