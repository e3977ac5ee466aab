import { CniCode, CniError } from "./cni-error.ts";
import { type Command, parseCommand, parseRequest, type Request, versionOf } from "./request.ts";
import { encodeResult, type Result } from "./result.ts";
import { SUPPORTED_VERSIONS } from "./versions.ts";

/** What a plugin supplies; the rest of the protocol is `answer`. Failures are thrown as CniError. */
export interface Plugin {
  add(request: Request): Result;
  /** Succeeds when there is nothing to delete, also without the namespace. */
  del(request: Request): void;
  check(request: Request): void;
  /** Frees what belongs to none of `validAttachments`. */
  gc(request: Request): void;
  /** Throws when ADD could not succeed now. */
  status(request: Request): void;
}

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  /** Free text for a log. */
  readonly stderr: string;
}

/** Newest version: what an error carries when the caller's cannot be read. */
const LATEST = SUPPORTED_VERSIONS.at(-1) ?? "1.1.0";

/** One call of a plugin, from environment and standard input to what is printed. Never throws. */
export function answer(
  plugin: Plugin,
  env: Readonly<Record<string, string | undefined>>,
  readStdin: () => string,
): Answer {
  let stdin = "";
  try {
    const command = parseCommand(env);
    stdin = reading(readStdin);
    const stdout =
      command === "VERSION" ? versionAnswer(stdin) : perform(plugin, command, parseRequest(command, env, stdin));
    return { exitCode: 0, stdout, stderr: "" };
  } catch (thrown) {
    const error = asCniError(thrown);
    const body = {
      cniVersion: versionOf(stdin) ?? LATEST,
      code: error.code,
      msg: error.message,
      ...(error.details === undefined ? {} : { details: error.details }),
    };
    const stderr = error.details === undefined ? error.message : `${error.message}: ${error.details}`;
    return { exitCode: 1, stdout: `${JSON.stringify(body)}\n`, stderr: `${stderr}\n` };
  }
}

function reading(readStdin: () => string): string {
  try {
    return readStdin();
  } catch (cause) {
    throw new CniError(CniCode.ioFailure, "the configuration cannot be read from standard input", String(cause), cause);
  }
}

function perform(plugin: Plugin, command: Exclude<Command, "VERSION">, request: Request): string {
  switch (command) {
    case "ADD":
      return `${encodeResult(plugin.add(request), request.cniVersion)}\n`;
    case "DEL":
      plugin.del(request);
      return "";
    case "CHECK":
      plugin.check(request);
      return "";
    case "GC":
      plugin.gc(request);
      return "";
    case "STATUS":
      plugin.status(request);
      return "";
  }
}

/** VERSION is asked before anything is known: it needs no configuration, and repeats the version that it was given. */
function versionAnswer(stdin: string): string {
  return `${JSON.stringify({ cniVersion: versionOf(stdin) ?? LATEST, supportedVersions: SUPPORTED_VERSIONS })}\n`;
}

function asCniError(thrown: unknown): CniError {
  if (thrown instanceof CniError) return thrown;
  const details = thrown instanceof Error ? thrown.message : String(thrown);
  return new CniError(CniCode.systemFailure, "the plugin failed", details, thrown);
}
