import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { KeyPair } from "../core/key-pair.ts";
import { silentLog } from "../core/log.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { Authority } from "../pki/authority.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import { IdentityFolder } from "./identity-folder.ts";
import { realClock } from "./real-clock.ts";
import { realRandom } from "./real-random.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-certificate-watch-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a renewed certificate is handed on once its key is there too, and only then", async () => {
  const authority = await Authority.create("ca", realClock, realRandom);
  const issue = () => authority.issue({ commonName: "s", usages: ["server"], validityDays: 1 });
  const write = (end: "crt" | "key", text: string) => writeFileSync(path.join(folder, `server.${end}`), text);
  const [first, second] = [await issue(), await issue()];
  write("crt", first.certPem);
  write("key", first.keyPem);
  const clock = new VirtualClock();
  const heard: KeyPair[] = [];
  const identity = new IdentityFolder(folder);
  const watch = new CertificateWatch(
    { clock, log: silentLog, identity, renewed: (pair) => heard.push(pair) },
    "server",
  );
  await watch.start();
  await clock.advance(120_000);
  write("crt", "damaged");
  await clock.advance(60_000);
  write("crt", second.certPem);
  await clock.advance(60_000);
  expect(heard).toEqual([]);
  write("key", second.keyPem);
  await clock.advance(180_000);
  expect(heard).toEqual([second]);
  await watch.stop();
  await clock.advance(60_000);
});
