import type { Startable } from "./startable.ts";

/**
 * Several components as one: started in order, stopped in the opposite one. `stop` may come while `start` runs: it stops
 * what has begun and nothing more begins. When one cannot start, those before it are stopped and its error is thrown.
 */
export class StartableList implements Startable {
  readonly #parts: readonly Startable[];
  readonly #begun: Startable[] = [];
  #isStopping = false;

  constructor(parts: readonly Startable[]) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    for (const part of this.#parts) {
      if (this.#isStopping) return;
      this.#begun.push(part);
      try {
        await part.start();
      } catch (error) {
        this.#begun.pop();
        await this.stop();
        throw error;
      }
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    for (let part = this.#begun.pop(); part !== undefined; part = this.#begun.pop()) await part.stop();
  }
}
