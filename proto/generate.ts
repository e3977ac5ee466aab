import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { folderDifference } from "./generate/folder-difference.ts";
import { generateInto } from "./generate/generated-code.ts";

// Brings lib/gen up to date with proto/. With --baseline it also takes the contracts as they are for what `buf breaking`
// compares with, which says that every incompatible change so far is meant.
const root = fileURLToPath(new URL("..", import.meta.url));
const generated = join(root, "lib/gen");
const fresh = mkdtempSync(join(tmpdir(), "keelson-generate-"));
try {
  await generateInto(root, fresh);
  const { stale, extra } = folderDifference(fresh, generated);
  for (const path of stale) cpSync(join(fresh, path), join(generated, path));
  for (const path of extra) rmSync(join(generated, path));
  // Kinds are read with the annotations as they were when this process began.
  if (stale.includes("keelson/v1/annotations.ts")) execFileSync(process.execPath, process.argv.slice(1));
} finally {
  rmSync(fresh, { recursive: true });
}
if (process.argv.includes("--baseline")) {
  copyFileSync(join(generated, "descriptors.binpb"), join(root, "proto/baseline.binpb"));
}
