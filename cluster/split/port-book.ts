import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Random } from "../../lib/core/random.ts";

export interface PortBookComponents {
  readonly random: Random;
}

/** Below what the kernel gives to outgoing connections, which could take a port while its server restarts, and below node ports. */
const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;
const ATTEMPTS_MAX = 200;

/** Loopback ports of a cluster's processes by name: chosen once, written down, and kept as long as nobody else has them. */
export class PortBook {
  readonly #random: Random;
  readonly #file: string;

  constructor(components: PortBookComponents, file: string) {
    this.#random = components.random;
    this.#file = file;
  }

  /** A free port for each name. Whoever had them before must have ended. */
  async settle<N extends string>(names: readonly N[]): Promise<Record<N, number>> {
    const before = this.#read();
    const settled: Record<string, number> = {};
    for (const name of names) {
      const port = before[name];
      const taken = Object.values(settled);
      settled[name] =
        port !== undefined && !taken.includes(port) && (await isFree(port)) ? port : await this.#choose(taken);
    }
    writeFileSync(`${this.#file}.new`, JSON.stringify(settled), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
    return settled as Record<N, number>;
  }

  #read(): Record<string, number | undefined> {
    if (!existsSync(this.#file)) return {};
    try {
      return JSON.parse(readFileSync(this.#file, "utf8"));
    } catch {
      // Damaged: others are as good.
      return {};
    }
  }

  async #choose(taken: readonly number[]): Promise<number> {
    for (let i = 0; i < ATTEMPTS_MAX; i++) {
      const port = FIRST_PORT + Math.floor(this.#random.float() * (LAST_PORT - FIRST_PORT + 1));
      if (!taken.includes(port) && (await isFree(port))) return port;
    }
    throw new Error(`no free port from ${FIRST_PORT} to ${LAST_PORT} on 127.0.0.1`);
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}
