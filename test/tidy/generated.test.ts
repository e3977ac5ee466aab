import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { folderDifference } from "../../proto/generate/folder-difference.ts";
import { generateInto, isTypedService, typedServicesInto } from "../../proto/generate/generated-code.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fresh = mkdtempSync(join(tmpdir(), "keelson-drift-"));

afterAll(() => rmSync(fresh, { recursive: true }));

test("lib/gen is what proto/ generates, and a file that drifted is found", { timeout: 30_000 }, async () => {
  const generated = join(fresh, "gen");
  await generateInto(root, generated);
  expect(folderDifference(generated, join(root, "lib/gen")), "run: npm run generate").toEqual({ stale: [], extra: [] });

  writeFileSync(join(generated, "k8s/resources.ts"), "drifted");
  writeFileSync(join(generated, "planted.ts"), "");
  expect(folderDifference(generated, join(root, "lib/gen"))).toEqual({
    stale: expect.arrayContaining(["k8s/resources.ts", "planted.ts"]),
    extra: [],
  });
});

test("the typed services in proto/ are what the kinds say, and no others", { timeout: 30_000 }, async () => {
  const typed = join(fresh, "proto");
  await typedServicesInto(root, typed);
  const { stale, extra } = folderDifference(typed, join(root, "proto"));
  expect({ stale, extra: extra.filter(isTypedService) }, "run: npm run generate").toEqual({ stale: [], extra: [] });
  expect(extra).toContain("keelson/api/v1/resources.proto");

  rmSync(join(typed, "keelson/api/core/v1/pod_service.proto"));
  expect(folderDifference(typed, join(root, "proto")).extra.filter(isTypedService)).toHaveLength(1);
});
