import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { ended } from "./ended.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";

/** A real nats-server on a loopback port of its own, which it keeps when it is started again. */
export class NatsServer {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly #port: number;
  readonly #dataDir = mkdtempSync(path.join(tmpdir(), "keelson-nats-"));
  #child: ChildProcess | undefined;

  /** The folder of an identity: TLS, and users by token only. */
  readonly #identity: string | undefined;

  private constructor(port: number, identity: string | undefined) {
    this.#port = port;
    this.#identity = identity;
    this.address = `127.0.0.1:${port}`;
  }

  /** `port`: a free one unless told. */
  static async start(options: { identity?: string; port?: number } = {}): Promise<NatsServer> {
    const [port] = options.port === undefined ? await freePorts(1) : [options.port];
    const server = new NatsServer(port!, options.identity);
    await server.startAgain();
    return server;
  }

  /** Starts it where none runs, and waits until it takes connections. */
  async startAgain(): Promise<void> {
    const flags = ["--addr", "127.0.0.1", "--port", String(this.#port), "--store_dir", this.#dataDir];
    if (this.#identity !== undefined) {
      const file = (name: string) => path.join(this.#identity!, name);
      flags.push("-c", file("accounts.conf"), "--tls", "--tlscert", file("server.crt"), "--tlskey", file("server.key"));
    }
    this.#child = spawn("nats-server", flags, {
      stdio: "ignore",
      env: { PATH: `${process.env["PATH"]}:/usr/sbin` },
    });
    await eventually(() => reachable(this.#port));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** With SIGKILL. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await ended(this.#child);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }
}

function reachable(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });
}
