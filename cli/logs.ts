import { existsSync, openSync, readSync, watch } from "node:fs";
import { type Command, type CommandIo, integerFlag, parseFlags, stringFlag, UsageError } from "./command.ts";
import { DataDir } from "./data-dir.ts";

const CHUNK_BYTES = 65_536;
const TAIL_LINES_MAX = 1_000_000;

export const logsCommand: Command = {
  summary: "prints the log of Keelson's process",
  usage: "keelson logs [--data-dir=DIR] [-f] [--tail=LINES]",
  async run(args, io) {
    const { values } = parseFlags(args, { "data-dir": "string", follow: "boolean", tail: "string" });
    const dataDir = DataDir.from(stringFlag(values, "data-dir"), io.env);
    const tailLines = integerFlag(values, "tail", 0, TAIL_LINES_MAX, TAIL_LINES_MAX);
    if (!existsSync(dataDir.logFile))
      throw new UsageError(`${dataDir.path} has no log: no cluster was started from it`);
    const file = openSync(dataDir.logFile, "r");
    const text = readRest(file);
    const lines = text.split("\n");
    io.out(lines.slice(-(tailLines + 1)).join("\n"));
    if (values["follow"] === true) await follow(dataDir.logFile, file, io);
    return 0;
  },
};

function readRest(file: number): string {
  const parts: Buffer[] = [];
  for (;;) {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const length = readSync(file, buffer);
    if (length === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(buffer.subarray(0, length));
  }
}

/** Until the user interrupts. */
async function follow(name: string, file: number, io: CommandIo): Promise<void> {
  const abort = new AbortController();
  process.once("SIGINT", () => abort.abort());
  const watcher = watch(name, { signal: abort.signal }, () => io.out(readRest(file)));
  await new Promise<void>((resolve) => watcher.on("close", resolve));
}
