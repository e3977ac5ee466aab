import { rmSync } from "node:fs";
import { hostname } from "node:os";
import { StatusError } from "../lib/core/status-error.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import type { NodeJoinOptions } from "../node-agent/identity/node-join.ts";
import { checkHttpsUrl, checkNodeName } from "./address-flags.ts";
import {
  type Command,
  type CommandIo,
  type FlagValues,
  integerFlag,
  neededFlag,
  parseFlags,
  stringFlag,
  UsageError,
} from "./command.ts";
import { flagFile, outDirFlag } from "./file-flags.ts";

const TOKEN = /^[a-z0-9]{6}\.[a-z0-9]{16}$/;
const HASH = /^sha256:([0-9a-f]{64})$/;
const WAIT_SECONDS = 600;
const WAIT_MAX_SECONDS = 86_400;
const FAILED = 1;

const FLAGS = {
  "api-server": "string",
  token: "string",
  "ca-cert-hash": "string",
  "ca-cert": "string",
  "out-dir": "string",
  "node-name": "string",
  timeout: "string",
} as const;

export const nodeCommand: Command = {
  summary: "makes a node's identity with a bootstrap token",
  usage: `keelson node join --api-server=https://HOST:PORT --token=TOKEN (--ca-cert-hash=sha256:HEX | --ca-cert=FILE)
                  --out-dir=DIR [--node-name=NAME] [--timeout=SECONDS]

  --api-server=URL        where the API is reached
  --token=TOKEN           what "keelson token create" printed; @FILE reads it from a file
  --ca-cert-hash=HASH     of the public key of the cluster's authority, which the cluster tells ("keelson token create")
  --ca-cert=FILE          the authority itself, as PEM
  --out-dir=DIR           gets the identity: keelson run node-agent --identity=DIR
  --node-name=NAME        (default: the name of this machine)
  --timeout=SECONDS       how long to wait for the certificate (${WAIT_SECONDS})`,
  async run(args, io) {
    const { values, words } = parseFlags(args, FLAGS, { min: 1, max: 1, names: "join" });
    if (words[0] !== "join") throw new UsageError(`keelson node knows join, not ${JSON.stringify(words[0])}`);
    const options = joinOptions(values);
    const waitSeconds = integerFlag(values, "timeout", 1, WAIT_MAX_SECONDS, WAIT_SECONDS);
    return join(options, waitSeconds, io);
  },
};

async function join(options: NodeJoinOptions, waitSeconds: number, io: CommandIo): Promise<number> {
  const { joinNode } = await import("../node-agent/identity/node-join.ts");
  const limit = new AbortController();
  const late = new Error(`nobody decided within ${waitSeconds} s; join again to ask again`);
  const timer = realClock.after(waitSeconds * 1000, () => limit.abort(late));
  const progress = (step: string) => io.out(`${step}\n`);
  try {
    await joinNode({ clock: realClock, random: realRandom, signal: limit.signal, progress }, options);
    return 0;
  } catch (error) {
    const why = limit.signal.aborted ? late.message : (error as Error).message;
    io.err(
      `keelson: ${options.nodeName} did not join: ${error instanceof StatusError ? `the API says: ${why}` : why}\n`,
    );
    return FAILED;
  } finally {
    timer.cancel();
  }
}

function joinOptions(values: FlagValues): NodeJoinOptions {
  return {
    nodeName: checkNodeName(stringFlag(values, "node-name") ?? hostname().toLowerCase()),
    server: checkHttpsUrl(neededFlag(values, "api-server"), "api-server"),
    token: tokenOf(neededFlag(values, "token")),
    trust: trustOf(values),
    outDir: outDirOf(neededFlag(values, "out-dir")),
  };
}

/** Checked before anything is asked of the cluster: a certificate that nobody can keep is lost. */
function outDirOf(text: string): string {
  const { folder, made } = outDirFlag(text);
  // It comes with what is to be in it.
  if (made !== undefined) rmSync(made, { recursive: true });
  return folder;
}

/** The token itself is never shown. */
function tokenOf(text: string): string {
  const token = text.startsWith("@") ? flagFile(text.slice(1), "token").trim() : text;
  if (!TOKEN.test(token)) {
    throw new UsageError(
      "--token must be 6 and 16 lower case letters and digits with a dot between, as it was printed",
    );
  }
  return token;
}

function trustOf(values: FlagValues): NodeJoinOptions["trust"] {
  const [hash, file] = [stringFlag(values, "ca-cert-hash"), stringFlag(values, "ca-cert")];
  if ((hash === undefined) === (file === undefined)) {
    throw new UsageError("either --ca-cert-hash or --ca-cert is needed: without it anybody could be the cluster");
  }
  if (file !== undefined) {
    const caPem = flagFile(file, "ca-cert");
    if (!caPem.includes("-----BEGIN CERTIFICATE-----")) throw new UsageError(`--ca-cert: ${file} holds no certificate`);
    return { caPem };
  }
  const publicKeyHash = HASH.exec(hash!)?.[1];
  if (publicKeyHash === undefined) throw new UsageError("--ca-cert-hash must be sha256: and 64 hexadecimal digits");
  return { publicKeyHash };
}
