import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { keelson } from "../kit/keelson.ts";
import { skipping, whyNotLayout } from "../kit/requirements.ts";
import { clusterId, traces } from "../kit/traces.ts";

test.skipIf(skipping("split/hopeless-start", whyNotLayout("split")))(
  "a start that cannot succeed is given up: up says where to look, and nothing runs on",
  async () => {
    const dataDir = mkdtempSync(path.join(tmpdir(), "keelson-hopeless-"));
    try {
      // Where the store wants a folder.
      writeFileSync(path.join(dataDir, "store"), "");
      const flags = ["--layout=split", "--runtime=simulated", "--api-port=0", `--data-dir=${dataDir}`];
      const up = await keelson(["up", ...flags]);
      expect(up.code).toBe(2);
      expect(up.stderr).toContain(`why is in ${dataDir}/keelson.log`);
      expect(readFileSync(path.join(dataDir, "keelson.log"), "utf8")).toContain(
        `keelson: store ended 6 times in a row; why is in ${dataDir}/logs/store.log`,
      );
      expect(readFileSync(path.join(dataDir, "logs", "store.log"), "utf8")).toContain(
        `${dataDir}/store is not a folder`,
      );
      expect(await traces(clusterId(dataDir), dataDir)).toEqual([]);
      expect((await keelson(["status", `--data-dir=${dataDir}`])).code).toBe(3);
    } finally {
      expect((await keelson(["down", "--purge", `--data-dir=${dataDir}`])).code).toBe(0);
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
);
