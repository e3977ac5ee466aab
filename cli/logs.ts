import { existsSync, openSync, readdirSync, readSync, watch } from "node:fs";
import { nodeNamesOf } from "../cluster/cluster-nodes.ts";
import type { ClusterRecord } from "../cluster/cluster-record.ts";
import { type Command, type CommandIo, integerFlag, parseFlags, stringFlag, UsageError } from "./command.ts";
import { DataDir } from "./data-dir.ts";

const CHUNK_BYTES = 65_536;
const TAIL_LINES_MAX = 1_000_000;
const SUPERVISOR = "supervisor";

export const logsCommand: Command = {
  summary: "prints the logs of Keelson's processes",
  usage: `keelson logs [--data-dir=DIR] [--role=NAME] [-f] [--tail=LINES]

  --role=NAME  in the split layout: of a role (api-server), of one of its processes (api-server-2), or of the supervisor;
               without it of all, each line with the process's name in front
  --tail       at most so many of the last lines of each log
  -f           goes on with what is written from now on`,
  async run(args, io) {
    const { values } = parseFlags(args, { "data-dir": "string", role: "string", follow: "boolean", tail: "string" });
    const dataDir = DataDir.from(stringFlag(values, "data-dir"), io.env);
    const tailLines = integerFlag(values, "tail", 0, TAIL_LINES_MAX, TAIL_LINES_MAX);
    if (!existsSync(dataDir.logFile))
      throw new UsageError(`${dataDir.path} has no log: no cluster was started from it`);
    const sources = chosenSources(dataDir, stringFlag(values, "role"));
    const printers = sources.map(({ name, file }) => new LogPrinter(file, sources.length > 1 ? `${name} | ` : "", io));
    for (const printer of printers) printer.printLast(tailLines);
    if (values["follow"] === true) await Promise.all(printers.map((printer) => printer.follow()));
    return 0;
  },
};

interface LogSource {
  readonly name: string;
  readonly file: string;
}

function chosenSources(dataDir: DataDir, role: string | undefined): LogSource[] {
  const record = dataDir.readRecord<ClusterRecord>();
  const own = { name: SUPERVISOR, file: dataDir.logFile };
  if (record?.layout !== "split") {
    if (role !== undefined) throw new UsageError(`--role=${role}: every role of this cluster writes into one log`);
    return [own];
  }
  const folder = dataDir.file("logs");
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(".log")) : [];
  const names = files.map((file) => file.slice(0, -".log".length)).sort();
  const all = [own, ...names.map((name) => ({ name, file: dataDir.file("logs", `${name}.log`) }))];
  if (role === undefined) return all;
  const nodes = nodeNamesOf(record);
  const chosen = all.filter(
    ({ name }) => role === name || role === (nodes.includes(name) ? "node-agent" : roleOf(name)),
  );
  if (chosen.length > 0) return chosen;
  throw new UsageError(`--role=${role}: there are logs of ${all.map(({ name }) => name).join(", ")}`);
}

/** `api-server-2` is an `api-server`. */
function roleOf(instance: string): string {
  return instance.replace(/-\d+$/, "");
}

/** Prints one log, each line with a prefix. */
class LogPrinter {
  readonly #name: string;
  readonly #file: number;
  readonly #prefix: string;
  readonly #io: CommandIo;
  /** The beginning of a line whose end was not there yet. */
  #rest = "";

  constructor(name: string, prefix: string, io: CommandIo) {
    this.#name = name;
    this.#file = openSync(name, "r");
    this.#prefix = prefix;
    this.#io = io;
  }

  printLast(count: number): void {
    const lines = this.#lines();
    this.#print(lines.slice(Math.max(0, lines.length - count)));
  }

  /** Until the user interrupts. */
  async follow(): Promise<void> {
    const abort = new AbortController();
    process.once("SIGINT", () => abort.abort());
    const watcher = watch(this.#name, { signal: abort.signal }, () => this.#print(this.#lines()));
    await new Promise<void>((resolve) => watcher.on("close", resolve));
  }

  #print(lines: readonly string[]): void {
    if (lines.length > 0) this.#io.out(lines.map((line) => `${this.#prefix}${line}\n`).join(""));
  }

  /** Whole lines that were written since the last call. */
  #lines(): string[] {
    const lines = (this.#rest + readRest(this.#file)).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }
}

function readRest(file: number): string {
  const parts: Buffer[] = [];
  for (;;) {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const length = readSync(file, buffer);
    if (length === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(buffer.subarray(0, length));
  }
}
