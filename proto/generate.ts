import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { folderDifference } from "./generate/folder-difference.ts";
import { generateInto, isTypedService, typedServicesInto } from "./generate/generated-code.ts";

// Brings the typed services in proto/, and then lib/gen, up to date with what is written by hand in proto/. With --baseline it also takes the contracts as they are for what `buf breaking`
// compares with, which says that every incompatible change so far is meant.
const root = fileURLToPath(new URL("..", import.meta.url));
const generated = join(root, "lib/gen");
const work = mkdtempSync(join(tmpdir(), "keelson-generate-"));
try {
  await typedServicesInto(root, join(work, "proto"));
  bringUpToDate(join(work, "proto"), join(root, "proto"), isTypedService);
  await generateInto(root, join(work, "gen"));
  const stale = bringUpToDate(join(work, "gen"), generated, () => true);
  // Kinds are read with the annotations as they were when this process began.
  if (stale.includes("keelson/v1/annotations.ts")) execFileSync(process.execPath, process.argv.slice(1));
} finally {
  rmSync(work, { recursive: true });
}
if (process.argv.includes("--baseline")) {
  copyFileSync(join(generated, "descriptors.binpb"), join(root, "proto/baseline.binpb"));
}

/** Gives what was stale; what is too many goes where it is ours. */
function bringUpToDate(fresh: string, kept: string, isOurs: (path: string) => boolean): string[] {
  const { stale, extra } = folderDifference(fresh, kept);
  for (const path of stale) cpSync(join(fresh, path), join(kept, path));
  for (const path of extra.filter(isOurs)) rmSync(join(kept, path));
  return stale;
}
