import { spawn } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { KEELSON, keelson } from "../kit/keelson.ts";

/** Runs the command and kills it when its folder has changed this many times; false: it was done before. */
async function killedAfter(changes: number, folder: string, flags: readonly string[]): Promise<boolean> {
  const child = spawn(process.execPath, [KEELSON, "pki", `--out-dir=${folder}`, ...flags], { stdio: "ignore" });
  let seen = 0;
  const watcher = watch(folder, { recursive: true }, () => {
    if (++seen >= changes) child.kill("SIGKILL");
  });
  await once(child, "exit");
  watcher.close();
  return child.signalCode === "SIGKILL";
}

function keysOf(folder: string): Map<string, string> {
  const authorities = path.join(folder, "authorities");
  if (!existsSync(authorities)) return new Map();
  const whole = readdirSync(authorities).filter((file) => /\.(key|seed)$/.test(file));
  return new Map(whole.map((file) => [file, readFileSync(path.join(authorities, file), "utf8")]));
}

/** Every certificate below the folder, with what is wrong with it. */
function faultsIn(folder: string): string[] {
  const read = (file: string) => readFileSync(file, "utf8");
  const authorities = readdirSync(path.join(folder, "authorities"))
    .filter((file) => file.endsWith(".crt"))
    .map((file) => new X509Certificate(read(path.join(folder, "authorities", file))));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) =>
    one.name.endsWith(".crt"),
  );
  return files.flatMap(({ name, parentPath }) => {
    const file = path.join(parentPath, name);
    const certificate = new X509Certificate(read(file));
    const key = file.replace(/crt$/, "key");
    const isPair = !existsSync(key) || certificate.checkPrivateKey(createPrivateKey(read(key)));
    const isSigned = authorities.some((one) => certificate.verify(one.publicKey));
    return [...(isPair ? [] : [`${file}: another key's`]), ...(isSigned ? [] : [`${file}: signed by nobody`])];
  });
}

test("F1: killed at any file and run again, the folder is whole and no key of an authority has changed", async () => {
  const flags = ["--node=node-1", "--node=node-2"];
  let kills = 0;
  for (const changes of [1, 4, 9, 16, 25, 40, 60]) {
    const folder = mkdtempSync(path.join(tmpdir(), "keelson-pki-kill-"));
    try {
      if (await killedAfter(changes, folder, flags)) kills++;
      const before = keysOf(folder);
      const again = await keelson(["pki", `--out-dir=${folder}`, ...flags]);
      expect(again.code, again.stderr).toBe(0);
      for (const [file, text] of before) expect(keysOf(folder).get(file), file).toBe(text);
      expect(faultsIn(folder)).toEqual([]);
      const third = await keelson(["pki", `--out-dir=${folder}`, ...flags]);
      expect(third.stdout.match(/: kept$/gm)).toHaveLength(9);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  expect(kills).toBeGreaterThan(2);
});
