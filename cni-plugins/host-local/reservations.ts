import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { parseAddress } from "../skel/ip-address.ts";
import type { Attachment } from "../skel/request.ts";

/** Name of the file that says where the next search starts: a hint, so that addresses are not reused at once. */
const HINT_PREFIX = "last-reserved-";
const TEMPORARY_PREFIX = ".new-";

/**
 * Reserved addresses as files of one folder: the name is the address, the content its owner. Node has no file locks, so
 * making the file under its name, which succeeds for one caller only, is the whole protocol. A file is complete and on
 * disk before it gets that name; a crash leaves a reservation with an owner or none.
 */
export class Reservations {
  readonly #dir: string;
  readonly #uniqueName: string;

  /** `uniqueName` tells this caller's temporary files from those of others. */
  constructor(dir: string, uniqueName: string) {
    this.#dir = dir;
    this.#uniqueName = uniqueName;
  }

  /** Reserves the address for the owner; false when it is reserved already. */
  reserve(address: string, owner: Attachment): boolean {
    const temporary = join(this.#dir, `${TEMPORARY_PREFIX}${this.#uniqueName}`);
    const descriptor = openSync(temporary, "w", 0o644);
    try {
      writeSync(descriptor, `${owner.containerId}\n${owner.interfaceName}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      linkSync(temporary, join(this.#dir, address));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
    this.#sync();
    return true;
  }

  release(address: string): void {
    rmSync(join(this.#dir, address), { force: true });
  }

  /** All reserved addresses with their owners; a folder that is not there yet has none. */
  list(): Map<string, Attachment> {
    const owners = new Map<string, Attachment>();
    for (const name of this.#names()) {
      if (parseAddress(name) === undefined) continue;
      const [containerId = "", interfaceName = ""] = this.#read(name).split("\n");
      owners.set(name, { containerId, interfaceName });
    }
    return owners;
  }

  ensureFolder(): void {
    mkdirSync(this.#dir, { recursive: true });
  }

  /** The address that was handed out last in pool number `pool`. */
  hint(pool: number): string {
    return this.#read(`${HINT_PREFIX}${pool}`).trim();
  }

  setHint(pool: number, address: string): void {
    const temporary = join(this.#dir, `${TEMPORARY_PREFIX}hint-${this.#uniqueName}`);
    writeFileSync(temporary, `${address}\n`);
    renameSync(temporary, join(this.#dir, `${HINT_PREFIX}${pool}`));
  }

  /** Temporary files of callers that no longer run, by `isRunning(uniqueName)`. */
  removeTemporaries(isRunning: (uniqueName: string) => boolean): void {
    for (const name of this.#names()) {
      if (!name.startsWith(TEMPORARY_PREFIX)) continue;
      const uniqueName = name.slice(TEMPORARY_PREFIX.length).replace(/^hint-/, "");
      if (!isRunning(uniqueName)) rmSync(join(this.#dir, name), { force: true });
    }
  }

  #names(): string[] {
    try {
      return readdirSync(this.#dir);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  #read(name: string): string {
    try {
      return readFileSync(join(this.#dir, name), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
      throw error;
    }
  }

  #sync(): void {
    const descriptor = openSync(this.#dir, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}
