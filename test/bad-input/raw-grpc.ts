import { connect as connectHttp2 } from "node:http2";
import type { KeyPair } from "../../lib/core/key-pair.ts";

export function text(value: string): Buffer {
  return Buffer.from(value);
}

/** A field of wire type 2. */
export function field(number: number, payload: Uint8Array): Buffer {
  const length: number[] = [];
  let left = payload.length;
  for (; left > 0x7f; left >>>= 7) length.push((left & 0x7f) | 0x80);
  return Buffer.concat([Buffer.of((number << 3) | 2, ...length, left), payload]);
}

/** An object of this name, as far as a kind begins with its metadata. */
export function named(name: string): Buffer {
  return field(1, field(1, text(name)));
}

/** A call by hand, for what a client library would not send; gives the status that the trailers say. */
export async function rawCall(
  api: { readonly admin: KeyPair; readonly serverCaPem: string; readonly api: { readonly grpcPort: number } },
  path: string,
  message: Buffer,
  headers: Record<string, string> = {},
): Promise<string> {
  const { admin, serverCaPem: ca } = api;
  const session = connectHttp2(`https://127.0.0.1:${api.api.grpcPort}`, { ca, cert: admin.certPem, key: admin.keyPem });
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const status = new Promise<string>((resolve, reject) => {
    const read = (got: Record<string, unknown>): void => {
      if (got["grpc-status"] !== undefined) resolve(String(got["grpc-status"]));
    };
    stream.on("response", read).on("trailers", read).on("error", reject);
  });
  stream.end(message);
  stream.resume();
  try {
    return await status;
  } finally {
    session.destroy();
  }
}

/** A message as it travels in a stream. */
export function grpcFrame(message: Uint8Array, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
