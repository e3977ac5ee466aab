import { rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "./database.ts";
import type { EngineOptions } from "./protocol.ts";

/** Given up when the disk is full, so that deletes and compaction can still be written. */
const RESERVE_FILE = "reserve";
const RESERVE_BYTES = 8 * 1024 * 1024;
/** Share of the quota from which the alarm is raised. */
const ALARM_SHARE = 0.9;

/** How much room the store has: quota and disk, the alarm before they are used up and the limit when they are. */
export class Room {
  readonly #db: Database;
  readonly #options: EngineOptions;
  #sizeBytes = 0;
  #usedBytes = 0;
  #diskFull = false;
  #raisedByHand = false;
  #low = false;
  #reserved = false;

  constructor(db: Database, options: EngineOptions) {
    this.#db = db;
    this.#options = options;
    this.#reserve();
    this.#diskFull = options.dataDir !== undefined && !this.#reserved;
    this.measure();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Nothing may be added: puts and new leases are refused. */
  get full(): boolean {
    return this.#diskFull || this.#raisedByHand || this.#usedBytes >= this.#options.quotaBytes;
  }

  get alarm(): boolean {
    return this.full || this.#low;
  }

  setAlarm(raised: boolean): undefined {
    this.#raisedByHand = raised;
    if (!raised) this.measure();
  }

  /** Looks again; to be called after every commit. */
  measure(): void {
    const { quotaBytes } = this.#options;
    this.#sizeBytes = this.#db.sizeBytes();
    const freeInFileBytes = this.#db.freeBytes();
    this.#usedBytes = this.#sizeBytes - freeInFileBytes;
    const disk = this.#disk();
    this.#low = this.#usedBytes >= ALARM_SHARE * quotaBytes || disk.freeBytes < disk.wantedBytes;
    if (!this.#reserved && disk.freeBytes > 2 * RESERVE_BYTES) this.#reserve();
    // Pages that deletes and compaction have set free take puts again, whether the disk has room or not.
    if (this.#diskFull && disk.freeBytes + freeInFileBytes > 2 * RESERVE_BYTES) this.#diskFull = false;
  }

  /** The disk is full: refuses puts from now on. True when trying again makes sense. */
  makeRoom(): boolean {
    const again = !this.#diskFull || this.#reserved;
    this.#diskFull = true;
    if (this.#reserved) rmSync(this.#reservePath(), { force: true });
    this.#reserved = false;
    this.#db.checkpoint();
    return again;
  }

  #disk(): { freeBytes: number; wantedBytes: number } {
    const { dataDir, minFreeDiskBytes } = this.#options;
    if (dataDir === undefined) return { freeBytes: Number.POSITIVE_INFINITY, wantedBytes: 0 };
    const disk = statfsSync(dataDir);
    const wantedBytes = minFreeDiskBytes === 0 ? 0 : Math.max(minFreeDiskBytes, (disk.blocks * disk.bsize) / 20);
    return { freeBytes: disk.bavail * disk.bsize, wantedBytes };
  }

  #reserve(): void {
    if (this.#options.dataDir === undefined) return;
    const path = this.#reservePath();
    try {
      const size = statSync(path, { throwIfNoEntry: false })?.size;
      if (size !== RESERVE_BYTES) writeFileSync(path, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 });
      this.#reserved = true;
    } catch {
      rmSync(path, { force: true });
    }
  }

  #reservePath(): string {
    return join(this.#options.dataDir!, RESERVE_FILE);
  }
}
