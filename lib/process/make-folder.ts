import { mkdirSync, statSync } from "node:fs";
import path from "node:path";

/**
 * Makes a folder and those above it that lack, all with `mode`; one that is there stays as it is. Node's own recursion
 * (`mkdir` with `recursive`) does not end where nothing can be made, such as in /proc: use this for folders that users name.
 * Gives the topmost folder that was made; undefined when none was.
 */
export function makeFolder(folder: string, mode: number): string | undefined {
  const there = statSync(folder, { throwIfNoEntry: false });
  if (there !== undefined) {
    if (!there.isDirectory()) throw new Error(`${folder} is not a folder`);
    return undefined;
  }
  const made = makeFolder(path.dirname(path.resolve(folder)), mode);
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    // Somebody else made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return made;
  }
  return made ?? folder;
}
