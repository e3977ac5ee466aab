import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { folderDifference } from "../../proto/generate/folder-difference.ts";
import { generateInto } from "../../proto/generate/generated-code.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("lib/gen is what proto/ generates, and a file that drifted is found", { timeout: 30_000 }, async () => {
  const fresh = mkdtempSync(join(tmpdir(), "keelson-drift-"));
  try {
    await generateInto(root, fresh);
    expect(folderDifference(fresh, join(root, "lib/gen")), "run: npm run generate").toEqual({ stale: [], extra: [] });

    writeFileSync(join(fresh, "k8s/resources.ts"), "drifted");
    writeFileSync(join(fresh, "planted.ts"), "");
    expect(folderDifference(fresh, join(root, "lib/gen"))).toEqual({
      stale: expect.arrayContaining(["k8s/resources.ts", "planted.ts"]),
      extra: [],
    });
  } finally {
    rmSync(fresh, { recursive: true });
  }
});
