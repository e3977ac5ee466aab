import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";

/** One way of a connection; `both` stands for both. */
export type Direction = "toServer" | "toClient" | "both";

interface Way {
  isPaused: boolean;
  delayMs: number;
  /** Absent: as fast as it goes. */
  bytesPerSecond?: number;
  readonly pipes: Set<Pipe>;
}

/** Bytes that a proxy takes from one side before the other has them: then the sender feels it. */
const MAX_HELD_BYTES = 1024 * 1024;

/**
 * A TCP proxy in front of a server on this machine, with the faults of a network: each direction of all its connections,
 * also those made later, can stand still, be late or slow; connections can be cut and refused. Nothing is lost or reordered
 * while a connection lives, as with TCP.
 */
export class TcpProxy implements AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly #server: Server;
  readonly #ways: Record<"toServer" | "toClient", Way> = {
    toServer: { isPaused: false, delayMs: 0, pipes: new Set() },
    toClient: { isPaused: false, delayMs: 0, pipes: new Set() },
  };
  readonly #sockets = new Set<Socket>();
  #isRefusing = false;
  #accepted = 0;
  #refused = 0;
  #open = 0;

  private constructor(server: Server, target: { readonly host: string; readonly port: number }) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as { port: number }).port}`;
    server.on("connection", (client) => this.#connect(client, target));
  }

  /** `target` is `HOST:PORT`; it need not listen yet. */
  static async start(target: string): Promise<TcpProxy> {
    const at = target.lastIndexOf(":");
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new TcpProxy(server, { host: target.slice(0, at), port: Number(target.slice(at + 1)) });
  }

  /** Connections so far, those that were refused apart, and those that are open now. */
  get counts(): { readonly accepted: number; readonly refused: number; readonly open: number } {
    return { accepted: this.#accepted, refused: this.#refused, open: this.#open };
  }

  /** Bytes stand still until `resume`; nobody is told. Both directions: a partition without a reset. */
  pause(direction: Direction = "both"): void {
    this.#change(direction, (way) => {
      way.isPaused = true;
    });
  }

  resume(direction: Direction = "both"): void {
    this.#change(direction, (way) => {
      way.isPaused = false;
    });
  }

  /** Bytes that come from now on arrive so much later; 0 ends it. */
  delay(delayMs: number, direction: Direction = "both"): void {
    this.#change(direction, (way) => {
      way.delayMs = delayMs;
    });
  }

  /** Bytes that come from now on go through so fast, on each connection; absent: without a limit. */
  throttle(bytesPerSecond?: number, direction: Direction = "both"): void {
    this.#change(direction, (way) => {
      if (bytesPerSecond === undefined) delete way.bytesPerSecond;
      else way.bytesPerSecond = bytesPerSecond;
    });
  }

  /** Resets all open connections; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Resets all connections, and new ones until `admit`. */
  refuse(): void {
    this.#isRefusing = true;
    this.cut();
  }

  admit(): void {
    this.#isRefusing = false;
  }

  /** As in the beginning; what was held back arrives. */
  heal(): void {
    this.admit();
    this.delay(0);
    this.throttle();
    this.resume();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #change(direction: Direction, change: (way: Way) => void): void {
    for (const name of direction === "both" ? (["toServer", "toClient"] as const) : [direction]) {
      change(this.#ways[name]);
      for (const pipe of this.#ways[name].pipes) pipe.pump();
    }
  }

  #connect(client: Socket, target: { readonly host: string; readonly port: number }): void {
    if (this.#isRefusing) {
      this.#refused++;
      client.resetAndDestroy();
      return;
    }
    this.#accepted++;
    this.#open++;
    const server = tcpConnect({ ...target, allowHalfOpen: true });
    const pipes = [
      new Pipe({ from: client, to: server, way: this.#ways.toServer }),
      new Pipe({ from: server, to: client, way: this.#ways.toClient }),
    ];
    const end = () => {
      if (!this.#sockets.has(client)) return;
      this.#open--;
      for (const pipe of pipes) pipe.close();
      for (const socket of [client, server]) {
        this.#sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {
        client.resetAndDestroy();
        server.resetAndDestroy();
        end();
      });
    }
    const endIfBothEnded = () => {
      if (client.destroyed || server.destroyed) end();
    };
    client.on("close", endIfBothEnded);
    server.on("close", endIfBothEnded);
  }
}

interface Held {
  readonly dueMs: number;
  /** Absent: the end of the stream. */
  readonly bytes?: Buffer;
}

/** One direction of one connection. */
class Pipe {
  readonly #to: Socket;
  readonly #from: Socket;
  readonly #way: Way;
  #held: Held[] = [];
  #heldBytes = 0;
  /** When all that a slow line has taken is through. */
  #lineFreeMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ from, to, way }: { from: Socket; to: Socket; way: Way }) {
    this.#from = from;
    this.#to = to;
    this.#way = way;
    way.pipes.add(this);
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.on("end", () => this.#hold({ dueMs: this.#dueMs(0) }));
    to.on("drain", () => this.pump());
  }

  /** Passes on what is due. */
  pump(): void {
    clearTimeout(this.#timer);
    while (!this.#way.isPaused && !this.#to.writableNeedDrain) {
      const first = this.#held[0];
      if (first === undefined) break;
      const waitMs = first.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        break;
      }
      this.#held.shift();
      this.#heldBytes -= first.bytes?.length ?? 0;
      if (first.bytes === undefined) this.#to.end();
      else this.#to.write(first.bytes);
    }
    if (this.#heldBytes < MAX_HELD_BYTES && this.#from.isPaused()) this.#from.resume();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#way.pipes.delete(this);
    this.#held = [];
  }

  /** In small pieces where the line is slow, so that they come one by one and not all at the end. */
  #take(bytes: Buffer): void {
    const pieceBytes = this.#way.bytesPerSecond === undefined ? bytes.length : Math.ceil(this.#way.bytesPerSecond / 20);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      this.#hold({ dueMs: this.#dueMs(piece.length), bytes: piece });
    }
  }

  #dueMs(sizeBytes: number): number {
    const { bytesPerSecond, delayMs } = this.#way;
    const nowMs = performance.now();
    if (bytesPerSecond === undefined) return nowMs + delayMs;
    this.#lineFreeMs = Math.max(this.#lineFreeMs, nowMs) + (sizeBytes * 1000) / bytesPerSecond;
    return this.#lineFreeMs + delayMs;
  }

  #hold(held: Held): void {
    this.#held.push(held);
    this.#heldBytes += held.bytes?.length ?? 0;
    if (this.#heldBytes >= MAX_HELD_BYTES) this.#from.pause();
    this.pump();
  }
}
