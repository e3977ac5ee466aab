import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Log, silentLog } from "../../../lib/core/log.ts";
import type { SimulatedContainer, SimulatedSandbox } from "./simulated-runtime.ts";

interface SavedPod {
  readonly sandboxes: readonly SimulatedSandbox[];
  readonly containers: readonly SimulatedContainer[];
}

/** Simulated containers outlive the agent's process as real ones do: one file per pod, the last state wins. */
export class SimulatedState {
  readonly #dir: string;
  readonly #log: Log;
  readonly #dirty = new Map<string, SavedPod>();
  #writing: Promise<void> | undefined;

  constructor(dir: string, log: Log = silentLog) {
    this.#dir = dir;
    this.#log = log;
  }

  async load(): Promise<SavedPod> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const sandboxes: SimulatedSandbox[] = [];
    const containers: SimulatedContainer[] = [];
    for (const file of await readdir(this.#dir)) {
      if (!file.endsWith(".json")) continue;
      const saved = await this.#read(join(this.#dir, file));
      sandboxes.push(...(saved?.sandboxes ?? []));
      containers.push(...(saved?.containers ?? []));
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

  /** A file that cannot be read is a pod that did not survive, as after a power cut: the agent makes it again. */
  async #read(path: string): Promise<SavedPod | undefined> {
    try {
      return JSON.parse(await readFile(path, "utf8")) as SavedPod;
    } catch (error) {
      this.#log.warn("a simulated pod cannot be read", { path, error });
      return undefined;
    }
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
    } catch (error) {
      this.#log.warn("a simulated pod cannot be saved", { error });
    } finally {
      this.#writing = undefined;
    }
  }
}
