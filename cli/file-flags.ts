import { accessSync, constants, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { makeFolder } from "../lib/process/make-folder.ts";
import { UsageError } from "./command.ts";
import { nearestExisting } from "./data-dir.ts";

/** The text of a file that a flag names. */
export function flagFile(file: string, flag: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--${flag}: ${(error as Error).message}`, { cause: error });
  }
}

/** `--out-dir`, made where it lacks. `made`: the first folder that was, undefined when it was there. */
export function outDirFlag(text: string): { readonly folder: string; readonly made: string | undefined } {
  const folder = path.resolve(text);
  const existing = nearestExisting(folder);
  if (!statSync(existing).isDirectory()) throw new UsageError(`--out-dir=${text}: ${existing} is not a folder`);
  try {
    const made = makeFolder(folder, 0o700);
    accessSync(folder, constants.W_OK);
    return { folder, made };
  } catch (cause) {
    throw new UsageError(`--out-dir=${text} cannot be made or written: ${(cause as Error).message}`, { cause });
  }
}
