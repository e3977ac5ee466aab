/** The clients of `api-create`, in a process of their own: HTTP/1.1 on TLS connections that are kept, one request each. */
import { connect, type TLSSocket } from "node:tls";

export interface GeneratorOrder {
  readonly port: number;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly clients: number;
  readonly valueBytes: number;
  readonly durationMs: number;
  readonly round: number;
}

export interface GeneratorReport {
  readonly perSecond: number;
  readonly p99Ms: number;
}

process.on("message", (order: GeneratorOrder) => {
  void generate(order).then((report) => process.send?.(report));
});

async function generate(order: GeneratorOrder): Promise<GeneratorReport> {
  const sockets = await Promise.all(Array.from({ length: order.clients }, () => open(order)));
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  await Promise.all(sockets.map((socket, index) => client(socket, index, order, startMs, latenciesMs)));
  const seconds = (performance.now() - startMs) / 1000;
  for (const socket of sockets) socket.destroy();
  latenciesMs.sort((left, right) => left - right);
  return { perSecond: latenciesMs.length / seconds, p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? 0 };
}

function open({ port, caPem, certPem, keyPem }: GeneratorOrder): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      ca: caPem,
      cert: certPem,
      key: keyPem,
      ALPNProtocols: ["http/1.1"],
    });
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

async function client(
  socket: TLSSocket,
  index: number,
  order: GeneratorOrder,
  startMs: number,
  latenciesMs: number[],
): Promise<void> {
  const value = "x".repeat(order.valueBytes);
  for (let count = 0; performance.now() - startMs < order.durationMs; count++) {
    const name = `r${order.round}-c${index}-${count}`;
    const body = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},"data":{"value":"${value}"}}`;
    const sentMs = performance.now();
    socket.write(
      `POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const status = await answer(socket);
    if (status !== 201) throw new Error(`a create was answered with ${status}`);
    latenciesMs.push(performance.now() - sentMs);
  }
}

/** Reads one answer, whose length the server always says. */
function answer(socket: TLSSocket): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = "";
    const done = (settle: () => void): void => {
      socket.off("data", onData).off("close", onClose);
      settle();
    };
    const onClose = (): void => done(() => reject(new Error("the server closed a connection")));
    const onData = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const head = text.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, head + 2))?.[1] ?? 0);
      if (text.length < head + 4 + length) return;
      done(() => resolve(Number(text.slice(9, 12))));
    };
    socket.on("data", onData).on("close", onClose);
  });
}
