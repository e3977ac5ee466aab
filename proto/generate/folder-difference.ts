import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Paths of files, below both folders, that `actual` lacks, has with another content, or has too many. */
export function folderDifference(
  wanted: string,
  actual: string,
): { readonly stale: string[]; readonly extra: string[] } {
  const wantedFiles = files(wanted);
  const known = new Set(wantedFiles);
  return {
    stale: wantedFiles.filter((path) => !isSame(join(wanted, path), join(actual, path))),
    extra: existsSync(actual) ? files(actual).filter((path) => !known.has(path)) : [],
  };
}

function files(folder: string): string[] {
  return globSync("**/*", { cwd: folder }).filter((path) => statSync(join(folder, path)).isFile());
}

function isSame(left: string, right: string): boolean {
  return existsSync(right) && readFileSync(left).equals(readFileSync(right));
}
