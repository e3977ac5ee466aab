import { request } from "node:https";
import type { KeyPair } from "../core/key-pair.ts";
import { StatusError } from "../core/status-error.ts";

/** An HTTPS server that speaks JSON, and who asks it. */
export interface JsonServer {
  /** `https://HOST:PORT`. */
  readonly url: string;
  /** Authorities of the server's certificate. Without them the certificate is not checked: no secret may be sent then. */
  readonly caPem?: string;
  /** The name that the server's certificate must have, whatever it is reached by. */
  readonly serverName?: string;
  readonly client?: KeyPair;
  readonly token?: string;
}

const LIMIT_BYTES = 16 * 2 ** 20;
const TIMEOUT_MS = 10_000;

/** One request and its answer. Fails with a StatusError when the server answers so, else with an Error that says what happened. */
export function jsonRequest<T>(server: JsonServer, method: string, path: string, body?: unknown): Promise<T> {
  if (server.caPem === undefined && (server.token !== undefined || server.client !== undefined)) {
    throw new Error("credentials are not sent to a server whose certificate is not checked");
  }
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, server.url),
      {
        method,
        agent: false,
        timeout: TIMEOUT_MS,
        rejectUnauthorized: server.caPem !== undefined,
        ...(server.caPem !== undefined && { ca: server.caPem }),
        ...(server.serverName !== undefined && { servername: server.serverName }),
        ...(server.client !== undefined && { cert: server.client.certPem, key: server.client.keyPem }),
        headers: {
          accept: "application/json",
          ...(text !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
          ...(server.token !== undefined && { authorization: `Bearer ${server.token}` }),
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        answer.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          sizeBytes += chunk.length;
          if (sizeBytes > LIMIT_BYTES) sent.destroy(new Error("the answer is too large"));
        });
        answer.on("error", reject);
        answer.on("end", () => {
          try {
            resolve(answerOf<T>(answer.statusCode ?? 0, Buffer.concat(chunks).toString("utf8")));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    sent.on("error", (cause) => reject(new Error(`${server.url}: ${cause.message}`, { cause })));
    sent.end(text);
  });
}

function answerOf<T>(code: number, text: string): T {
  const value = parsed(text);
  if (code >= 200 && code < 300) return value as T;
  const status = value as { reason?: string; message?: string } | undefined;
  const reason = (status?.reason ?? "") as ConstructorParameters<typeof StatusError>[1];
  throw new StatusError(code, reason, status?.message ?? `the server answered ${code}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
