import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { checkImports, IMPORT_RULES } from "./import-rules.ts";
import { ROOT, sourceFiles } from "./source-files.ts";

test("every import obeys the table of layers", () => {
  const files = sourceFiles();
  expect(files.length).toBeGreaterThan(50);
  expect(checkImports(files, IMPORT_RULES)).toEqual([]);
});

test("a planted violation is found", () => {
  const text = readFileSync(path.join(ROOT, "test/tidy/planted/role-imports-role.ts.txt"), "utf8");
  expect(checkImports([{ path: "services/scheduler/planted.ts", text }], IMPORT_RULES)).toEqual([
    "services/scheduler/planted.ts: may not import ../api-server/api-server.ts (a role imports lib, never another role)",
    "services/scheduler/planted.ts: may not import @grpc/grpc-js (a role imports lib, never another role)",
  ]);
});

test("a folder without a rule is found", () => {
  expect(checkImports([{ path: "helpers/a.ts", text: "" }], IMPORT_RULES)).toHaveLength(1);
});
