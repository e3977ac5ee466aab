import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import type { ClusterRecord } from "../cluster/cluster-record.ts";
import { containerNodeOptions } from "../cluster/container-node-options.ts";
import { silentLog } from "../lib/core/log.ts";
import { runCommand } from "../lib/process/command.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { ContainerNode } from "../node-agent/container-node.ts";
import { runningPid } from "./cluster-process.ts";
import { type Command, type CommandIo, parseFlags, refusing, stringFlag, UsageError } from "./command.ts";
import { DataDir } from "./data-dir.ts";

/** Simulated nodes run whatever image a pod names; this is the name that the test image has everywhere. */
const TEST_IMAGE_NAME = "localhost/keelson/web:1";

export const imageCommand: Command = {
  summary: "brings images to the node where no registry is reachable",
  usage: `keelson image load FILE.tar [--data-dir=DIR]
keelson image build-test [--data-dir=DIR]

  load        loads every image of an archive (docker save, OCI layout); prints their names
  build-test  builds a small image of busybox, whose HTTP server answers with its host name on port 8080; prints its name

  --data-dir=DIR  of the cluster, or of a node: what "keelson run node-agent" was given`,
  async run(args, io) {
    const [verb, ...rest] = args;
    if (verb === "load") return load(rest, io);
    if (verb === "build-test") return buildTest(rest, io);
    throw new UsageError(
      verb === undefined
        ? "image needs load or build-test"
        : `image has no ${JSON.stringify(verb)}: it has load and build-test`,
    );
  },
};

async function load(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, words } = parseFlags(
    args,
    { "data-dir": "string" },
    { min: 1, max: 1, names: "the FILE of an image archive" },
  );
  const node = runningNode(DataDir.from(stringFlag(values, "data-dir"), io.env));
  if (node === undefined) throw new UsageError("this cluster's nodes are simulated: they need no images");
  const file = openArchive(words[0]!);
  try {
    const sizeBytes = fstatSync(file).size;
    const archive = { sizeBytes, read: async (offset: number, length: number) => readAt(file, offset, length) };
    const loaded = await refusing(() => node.loadImages(archive));
    for (const image of loaded) io.out(`${image.name} (${image.movedBytes} bytes moved)\n`);
    return 0;
  } finally {
    closeSync(file);
  }
}

async function buildTest(args: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parseFlags(args, { "data-dir": "string" });
  const node = runningNode(DataDir.from(stringFlag(values, "data-dir"), io.env));
  io.out(`${node === undefined ? TEST_IMAGE_NAME : await refusing(() => node.loadTestImage())}\n`);
  return 0;
}

/** The node that has its folder there, or that of the cluster which runs from there; undefined when it is simulated. */
function runningNode(dataDir: DataDir): ContainerNode | undefined {
  const parts = { clock: realClock, random: realRandom, log: silentLog, run: runCommand };
  const record = dataDir.readRecord<ClusterRecord>();
  if (record === undefined) {
    const node = new ContainerNode(parts, { dataDir: dataDir.path });
    if (existsSync(node.socketPath)) return node;
  }
  if (record === undefined || runningPid(dataDir) === undefined) {
    throw new UsageError(`no cluster runs from ${dataDir.path}: start one with "keelson up"`);
  }
  if (record.runtime === "simulated") return undefined;
  return new ContainerNode(parts, containerNodeOptions(dataDir.path, record));
}

function openArchive(file: string): number {
  try {
    return openSync(file, "r");
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function readAt(file: number, offset: number, length: number): Uint8Array {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
}
