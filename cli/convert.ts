import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { kindDescriptors } from "../lib/gen/k8s/descriptors.ts";
import { makeFolder } from "../lib/process/make-folder.ts";
import { Codec } from "../lib/resource/codec/codec.ts";
import { DecodeError } from "../lib/resource/codec/decode-error.ts";
import { loadRegistry } from "../lib/resource/registry.ts";
import { type Command, type CommandIo, choiceFlag, parseFlags, stringFlag, UsageError } from "./command.ts";
import { detectForm, type Form, type Machinery, readObjects, writeObjects } from "./convert-documents.ts";

const FORMS: readonly Form[] = ["json", "yaml", "protobuf"];
const ENDINGS: Record<Form, string> = { json: ".json", yaml: ".yaml", protobuf: ".pb" };
const KNOWN_ENDINGS = new Set([".json", ".yaml", ".yml", ".pb"]);

export const convertCommand: Command = {
  summary: "turns objects from one encoding into another",
  usage: [
    "keelson convert [--from=json|yaml|protobuf] --to=json|yaml|protobuf [--out-dir=DIR] FILE...",
    "",
    "FILE is a manifest or a value as it is stored (k8s\\0 first); - is standard input. It may hold several objects, one",
    "after the other. Without --from the form is found out. With --out-dir each file keeps its base name and gets the ending",
    ".json, .yaml or .pb; without, all goes to standard output. A file that fails is named with its error, the others are",
    "converted, and the exit status is 1.",
  ].join("\n"),
  run: convert,
};

interface Task {
  readonly from: Form | undefined;
  readonly to: Form;
  readonly outDir: string | undefined;
  /** Files that this run wrote, so that none is written twice. */
  readonly written: Set<string>;
  readonly machinery: Machinery;
}

async function convert(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = { from: "string", to: "string", "out-dir": "string", "data-dir": "string" } as const;
  const { values, words } = parseFlags(args, flags, { min: 1, max: Number.POSITIVE_INFINITY, names: "FILE" });
  const from = choiceFlag(values, "from", FORMS);
  const to = choiceFlag(values, "to", FORMS);
  const outDir = stringFlag(values, "out-dir");
  if (to === undefined) {
    throw new UsageError(`--to must be one of ${FORMS.join(", ")}`);
  }
  if (outDir !== undefined) {
    makeOutDir(outDir);
  }
  const machinery = { codec: new Codec(), registry: loadRegistry(kindDescriptors, { withLaterFields: true }) };
  const task: Task = { from, to, outDir, written: new Set(), machinery };
  let status = 0;
  let isFirst = true;
  for (const file of words) {
    try {
      const bytes = file === "-" ? await readStream(io.stdin) : readFileSync(file);
      const out = convertBytes(file, bytes, task, io);
      if (outDir !== undefined) {
        writeFile(file, out, task);
      } else {
        io.out(to === "yaml" && !isFirst ? Buffer.concat([Buffer.from("---\n"), out]) : out);
        isFirst = false;
      }
    } catch (error) {
      status = 1;
      io.err(`keelson: ${file}: ${reasonOf(error)}\n`);
    }
  }
  return status;
}

function makeOutDir(outDir: string): void {
  try {
    makeFolder(outDir, 0o777);
  } catch (error) {
    throw new UsageError(`--out-dir: ${reasonOf(error)}`, { cause: error });
  }
}

function convertBytes(file: string, bytes: Uint8Array, task: Task, io: CommandIo): Buffer {
  const objects = readObjects(bytes, task.from ?? detectForm(bytes), task.machinery);
  for (const { decoded } of objects) {
    for (const field of decoded.unknownFields) {
      io.err(`keelson: ${file}: warning: unknown field ${JSON.stringify(field)} is left out\n`);
    }
    for (const field of decoded.duplicateFields) {
      io.err(`keelson: ${file}: warning: of duplicate field ${JSON.stringify(field)} the last one is kept\n`);
    }
  }
  return writeObjects(objects, task.to, task.machinery.codec);
}

function writeFile(file: string, bytes: Buffer, { to, outDir, written }: Task): void {
  const name = file === "-" ? "stdin" : path.basename(file);
  const ending = path.extname(name);
  const base = KNOWN_ENDINGS.has(ending) ? name.slice(0, -ending.length) : name;
  const target = path.resolve(outDir ?? ".", base + ENDINGS[to]);
  if (written.has(target) || (file !== "-" && target === path.resolve(file))) {
    throw new DecodeError(`${target} would be overwritten`);
  }
  writeFileSync(target, bytes);
  written.add(target);
}

async function readStream(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof DecodeError || error instanceof UsageError || code !== undefined) {
    return (error as Error).message;
  }
  throw error;
}
