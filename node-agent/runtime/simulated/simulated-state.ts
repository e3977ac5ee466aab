import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SimulatedContainer, SimulatedSandbox } from "./simulated-runtime.ts";

interface SavedPod {
  readonly sandboxes: readonly SimulatedSandbox[];
  readonly containers: readonly SimulatedContainer[];
}

/** Simulated containers outlive the agent's process as real ones do: one file per pod, the last state wins. */
export class SimulatedState {
  readonly #dir: string;
  readonly #dirty = new Map<string, SavedPod>();
  #writing: Promise<void> | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async load(): Promise<SavedPod> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const sandboxes: SimulatedSandbox[] = [];
    const containers: SimulatedContainer[] = [];
    for (const file of await readdir(this.#dir)) {
      if (!file.endsWith(".json")) continue;
      const saved = JSON.parse(await readFile(join(this.#dir, file), "utf8")) as SavedPod;
      sandboxes.push(...saved.sandboxes);
      containers.push(...saved.containers);
    }
    return { sandboxes, containers };
  }

  save(
    sandboxes: ReadonlyMap<string, SimulatedSandbox>,
    containers: ReadonlyMap<string, SimulatedContainer>,
    podUid: string,
  ): void {
    this.#dirty.set(podUid, {
      sandboxes: [...sandboxes.values()].filter((sandbox) => sandbox.spec.uid === podUid),
      containers: [...containers.values()].filter((container) => container.podUid === podUid),
    });
    this.#writing ??= this.#write();
  }

  /** Resolves when everything saved is on its file. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      for (let next = this.#dirty.entries().next(); !next.done; next = this.#dirty.entries().next()) {
        const [podUid, pod] = next.value;
        this.#dirty.delete(podUid);
        const path = join(this.#dir, `${encodeURIComponent(podUid)}.json`);
        if (pod.sandboxes.length === 0 && pod.containers.length === 0) {
          await rm(path, { force: true });
          continue;
        }
        await writeFile(`${path}.new`, JSON.stringify(pod), { mode: 0o600 });
        await rename(`${path}.new`, path);
      }
    } finally {
      this.#writing = undefined;
    }
  }
}
