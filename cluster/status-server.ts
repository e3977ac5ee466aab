import { rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";

export interface RoleStatus {
  readonly name: string;
  readonly health: "ok" | "failing";
  readonly leader: boolean;
  /** Why it fails; empty when it does not. */
  readonly detail: string;
}

export interface ClusterStatus {
  readonly pid: number;
  readonly runtime: string;
  readonly ready: boolean;
  readonly roles: readonly RoleStatus[];
  readonly addresses: Readonly<Record<string, string>>;
}

/** Answers what a running cluster says of itself on a unix socket that only its user can open. */
export class StatusServer {
  readonly #socket: string;
  readonly #ask: () => Promise<ClusterStatus>;
  #server: Server | undefined;

  constructor(socket: string, ask: () => Promise<ClusterStatus>) {
    this.#socket = socket;
    this.#ask = ask;
  }

  async start(): Promise<void> {
    rmSync(this.#socket, { force: true });
    const server = createServer((_request, response) => {
      this.#ask().then(
        (status) => response.end(JSON.stringify(status)),
        () => response.writeHead(500).end(),
      );
    });
    // The folder is 0700, so the socket is never open to others, not even before a chmod.
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(this.#socket, resolve));
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(this.#socket, { force: true });
  }
}

/** What the cluster behind `socket` says; undefined when nobody answers. */
export function askStatus(socket: string, timeoutMs: number): Promise<ClusterStatus | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath: socket, path: "/status", timeout: timeoutMs }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(response.statusCode === 200 ? (JSON.parse(text) as ClusterStatus) : undefined));
    });
    call.on("timeout", () => call.destroy());
    call.on("error", () => resolve(undefined));
    call.end();
  });
}
