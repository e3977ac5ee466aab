import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KeyPair } from "../core/key-pair.ts";
import { SeededRandom } from "../core/seeded-random.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { Authority } from "../pki/authority.ts";
import { IdentityFolder } from "./identity-folder.ts";

let root: string;
let pairs: [KeyPair, KeyPair];
beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), "identity-folder-"));
  const make = () => Authority.create("a", new VirtualClock(), new SeededRandom(1));
  pairs = [await make(), await make()];
});
afterAll(() => rmSync(root, { recursive: true }));

const plain = ({ certPem, keyPem }: KeyPair) => ({ certPem, keyPem });

test("a pair is replaced, keys for the owner alone", () => {
  const folder = new IdentityFolder(path.join(root, "whole"));
  folder.replaceKeyPair("client", pairs[0]);
  folder.replaceKeyPair("client", pairs[1]);
  expect(folder.keyPair("client")).toEqual(plain(pairs[1]));
  expect(statSync(path.join(folder.folder, "client.key")).mode & 0o777).toBe(0o600);
  expect(statSync(folder.folder).mode & 0o777).toBe(0o700);
  expect(existsSync(path.join(folder.folder, "client.crt.new"))).toBe(false);
});

test("a replacement that was broken off leaves one whole pair, wherever that was", () => {
  for (const step of ["certificate drafted", "key drafted", "key placed"]) {
    const folder = new IdentityFolder(path.join(root, step));
    folder.replaceKeyPair("client", pairs[0]);
    const file = (name: string) => path.join(folder.folder, name);
    writeFileSync(file("client.crt.new"), pairs[1].certPem);
    if (step !== "certificate drafted") writeFileSync(file("client.key.new"), pairs[1].keyPem);
    if (step === "key placed") renameSync(file("client.key.new"), file("client.key"));
    expect(new IdentityFolder(folder.folder).keyPair("client")).toEqual(plain(pairs[step === "key placed" ? 1 : 0]));
    folder.replaceKeyPair("client", pairs[0]);
    expect(folder.keyPair("client")).toEqual(plain(pairs[0]));
  }
});

test("what lacks is said with the way to make it", () => {
  const folder = new IdentityFolder(path.join(root, "none"));
  expect(() => folder.text("client.crt")).toThrow('lacks client.crt: make it with "keelson pki"');
});
