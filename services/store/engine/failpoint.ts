/** Where a crash test can end the process. */
export type FailpointName =
  | "before-commit"
  | "after-commit"
  | "before-publish"
  | "before-compaction-batch"
  | "after-compaction-batch"
  | "during-snapshot"
  | "before-defragment"
  | "after-defragment"
  | "commit-error";

/** Kills the process, as a power switch would, when the named point is reached for the given time: `NAME` or `NAME:N`. */
export class Failpoint {
  readonly #name: string | undefined;
  #left: number;

  constructor(spec: string | undefined) {
    const [name, count] = spec?.split(":") ?? [];
    this.#name = name;
    this.#left = count === undefined ? 1 : Number(count);
  }

  reach(name: FailpointName): void {
    if (name !== this.#name || --this.#left > 0) return;
    if (name === "commit-error") throw new Error("disk I/O error (failpoint)");
    process.kill(process.pid, "SIGKILL");
  }
}
