import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { LOG_LEVELS, type LogLevel } from "../lib/core/log.ts";

/** Where a command's words go; tests pass their own. */
export interface CommandIo {
  readonly stdin: NodeJS.ReadableStream;
  out(text: string | Uint8Array): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** Shown by --help. */
  readonly usage: string;
  /** Resolves to the exit status. */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** What the user did wrong, where, and what to do; printed without a stack. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}

export type FlagValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

const SHORT_FLAGS: Readonly<Record<string, string>> = { output: "o", follow: "f" };

/** Parses flags strictly: an unknown flag, a missing value or a stray word is a UsageError. `strings`: may be repeated. */
export function parseFlags(
  args: readonly string[],
  flags: Readonly<Record<string, "string" | "boolean" | "strings">>,
  positionals: { min: number; max: number; names: string } = { min: 0, max: 0, names: "" },
): { values: FlagValues; words: readonly string[] } {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, kind] of Object.entries(flags)) {
    const short = SHORT_FLAGS[name];
    options[name] = {
      type: kind === "boolean" ? "boolean" : "string",
      multiple: kind === "strings",
      ...(short === undefined ? {} : { short }),
    };
  }
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    const words = parsed.positionals;
    if (words.length > positionals.max)
      throw new UsageError(`unexpected argument ${JSON.stringify(words[positionals.max])}`);
    if (words.length < positionals.min) throw new UsageError(`needs ${positionals.names}`);
    return { values: parsed.values as FlagValues, words };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError((error as Error).message.split(". ")[0] ?? "bad flags", { cause: error });
  }
}

export function stringFlag(values: FlagValues, name: string): string | undefined {
  const value = values[name];
  if (value === "") throw new UsageError(`--${name} must not be empty`);
  return typeof value === "string" ? value : undefined;
}

export function neededFlag(values: FlagValues, name: string): string {
  const value = stringFlag(values, name);
  if (value === undefined) throw new UsageError(`--${name} is needed`);
  return value;
}

/** Every value of a flag that may be repeated. */
export function stringsFlag(values: FlagValues, name: string): readonly string[] {
  const value = values[name];
  if (!Array.isArray(value)) return [];
  if (value.includes("")) throw new UsageError(`--${name} must not be empty`);
  return value;
}

/** An integer in [min, max]; anything else is a UsageError that names the flag. */
export function integerFlag(values: FlagValues, name: string, min: number, max: number, fallback: number): number {
  const text = stringFlag(values, name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
  }
  return value;
}

export function choiceFlag<T extends string>(values: FlagValues, name: string, choices: readonly T[]): T | undefined {
  const text = stringFlag(values, name);
  if (text === undefined) return undefined;
  const choice = choices.find((one) => one === text);
  if (choice === undefined)
    throw new UsageError(`--${name} must be one of ${choices.join(", ")}, not ${JSON.stringify(text)}`);
  return choice;
}

/** `--log-level`. */
export function logLevelFlag(values: FlagValues): LogLevel {
  return choiceFlag(values, "log-level", LOG_LEVELS) ?? "info";
}

/** For work whose failures are the user's business (a file, an address, a folder): told as the message, without a stack. */
export async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
