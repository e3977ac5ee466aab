import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { Clock } from "../../../lib/core/clock.ts";
import { badRequest, requestEntityTooLarge, StatusError } from "../../../lib/core/status-error.ts";

export type AnyRequest = IncomingMessage | Http2ServerRequest;
export type AnyResponse = ServerResponse | Http2ServerResponse;

export const BODY_LIMIT_BYTES = 3 * 1024 * 1024;
const BODY_TIMEOUT_MS = 10_000;
/** How long a client may go on sending what nobody reads. */
const LINGER_MS = 2_000;

/** One request and its answer, whichever HTTP version carries them. */
export class Exchange {
  readonly request: AnyRequest;
  readonly response: AnyResponse;
  readonly method: string;
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly warnings: string[] = [];
  readonly #abort = new AbortController();

  constructor(request: AnyRequest, response: AnyResponse) {
    this.request = request;
    this.response = response;
    this.method = request.method ?? "GET";
    const url = request.url ?? "/";
    const question = url.indexOf("?");
    this.rawPath = question < 0 ? url : url.slice(0, question);
    this.query = new URLSearchParams(question < 0 ? "" : url.slice(question + 1));
    response.on("close", () => {
      // HTTP/2 calls a response finished when the client resets its stream.
      if (!response.writableEnded) this.#abort.abort(new ClientGone());
    });
  }

  get headers(): IncomingHttpHeaders {
    return this.request.headers;
  }

  /** Aborted when the client goes away before its answer is complete, or when the request takes too long. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  setHeader(name: string, value: string | string[]): void {
    if (!this.response.headersSent) this.response.setHeader(name, value);
  }

  /** HTTP/2 has no such headers. */
  setHeaderOfHttp1(name: string, value: string): void {
    if (this.request.httpVersionMajor === 1) this.setHeader(name, value);
  }

  /**
   * Reads what is left of a body that is not wanted: a client whose connection is closed while it sends sees a reset instead
   * of the answer. Who does not come to an end is cut off.
   */
  discardRest(clock: Clock): void {
    const { request } = this;
    const timer = clock.after(LINGER_MS, () => {
      if (request.httpVersionMajor === 1) request.socket.destroy();
      else (request as Http2ServerRequest).stream.close(constants.NGHTTP2_NO_ERROR);
    });
    request.once("end", () => timer.cancel()).once("close", () => timer.cancel());
    request.resume();
  }

  /** The whole body; refuses a large or a slow one. */
  async body(clock: Clock): Promise<Uint8Array> {
    const declared = Number(this.headers["content-length"] ?? 0);
    if (declared > BODY_LIMIT_BYTES) throw tooLarge();
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    return await new Promise<Uint8Array>((resolve, reject) => {
      const request = this.request as IncomingMessage;
      const timer = clock.after(BODY_TIMEOUT_MS, () => finish(() => reject(slow())));
      const finish = (settle: () => void): void => {
        timer.cancel();
        request.off("data", onData).off("end", onEnd).off("error", onError).off("close", onError);
        settle();
      };
      const onData = (chunk: Buffer): void => {
        sizeBytes += chunk.length;
        if (sizeBytes > BODY_LIMIT_BYTES) finish(() => reject(tooLarge()));
        else chunks.push(chunk);
      };
      const onEnd = (): void => finish(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
      const onError = (): void => finish(() => reject(badRequest("the body of the request ended early")));
      request.on("data", onData).on("end", onEnd).on("error", onError).on("close", onError);
    });
  }
}

/** The client closed the connection: there is nobody to answer. */
export class ClientGone extends Error {
  constructor() {
    super("the client went away");
    this.name = "ClientGone";
  }
}

function tooLarge(): StatusError {
  return requestEntityTooLarge(`limit is ${BODY_LIMIT_BYTES}`);
}

function slow(): StatusError {
  return new StatusError(408, "Timeout", "the body of the request did not arrive in time");
}
