import { chmodSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { createServer, request } from "../lib/process/node-http.ts";
import type { LayoutName } from "./cluster-record.ts";

/** Relative to the folder that the cluster's process runs in, since paths of sockets must be short. */
export const STATUS_SOCKET = "status.sock";

export interface RoleStatus {
  /** What it is: `api-server`. */
  readonly name: string;
  /** Which one of those: `api-server-2`. */
  readonly instance: string;
  /** Of the process that it runs in; null when it has none now, or not on this machine. */
  readonly pid: number | null;
  readonly health: "ok" | "failing";
  readonly leader: boolean;
  /** Why it fails; empty when it does not. */
  readonly detail: string;
}

export interface ClusterStatus {
  readonly pid: number;
  readonly layout: LayoutName;
  readonly runtime: string;
  readonly ready: boolean;
  readonly roles: readonly RoleStatus[];
  readonly addresses: Readonly<Record<string, string>>;
}

/** Answers what a running cluster says of itself on a unix socket in the working directory, which only its user can enter. */
export class StatusServer {
  readonly #ask: () => Promise<ClusterStatus>;
  #server: Server | undefined;

  constructor(ask: () => Promise<ClusterStatus>) {
    this.#ask = ask;
  }

  async start(): Promise<void> {
    rmSync(STATUS_SOCKET, { force: true });
    const server = createServer((_request, response) => {
      this.#ask().then(
        (status) => response.end(JSON.stringify(status)),
        () => response.writeHead(500).end(),
      );
    });
    // The folder is 0700, so the socket is never open to others, not even before the chmod.
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(STATUS_SOCKET, resolve));
    chmodSync(STATUS_SOCKET, 0o600);
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(STATUS_SOCKET, { force: true });
  }
}

/** What the cluster whose process is `pid` says; undefined when nobody answers. */
export function askStatus(pid: number, timeoutMs: number): Promise<ClusterStatus | undefined> {
  return new Promise((resolve) => {
    const socketPath = `/proc/${pid}/cwd/${STATUS_SOCKET}`;
    const call = request({ socketPath, path: "/status", timeout: timeoutMs }, (response) => {
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
