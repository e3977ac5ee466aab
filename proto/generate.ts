import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateInto } from "./generate/generated-code.ts";

// Writes lib/gen anew from proto/. With --baseline it also takes the contracts as they are for what `buf breaking`
// compares with, which says that every incompatible change so far is meant.
const root = fileURLToPath(new URL("..", import.meta.url));
const fresh = mkdtempSync(join(tmpdir(), "keelson-generate-"));
try {
  await generateInto(root, fresh);
  rmSync(join(root, "lib/gen"), { recursive: true, force: true });
  cpSync(fresh, join(root, "lib/gen"), { recursive: true });
} finally {
  rmSync(fresh, { recursive: true });
}
if (process.argv.includes("--baseline")) {
  const baseline = join(root, "proto/baseline.binpb");
  execFileSync("buf", ["build", "--exclude-source-info", "-o", baseline], { cwd: root, stdio: "inherit" });
  process.stdout.write(`proto/baseline.binpb: ${readFileSync(baseline).length} bytes\n`);
}
