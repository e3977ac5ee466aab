import { createAccount, decode, fromPublic } from "@nats-io/nkeys";
import { expect, test } from "vitest";
import { isUserKey } from "./nkey-text.ts";
import { UserKey } from "./user-key.ts";

test("a user key is one to the package of NATS, and what it signs is verified by it", () => {
  const key = new UserKey();
  const peer = fromPublic(key.publicKey);
  expect(key.publicKey).toMatch(/^U[A-Z2-7]{55}$/);
  const nonce = new TextEncoder().encode("nonce");
  expect(peer.verify(nonce, decode(key.sign("nonce")))).toBe(true);
  expect(peer.verify(nonce, decode(new UserKey().sign("nonce")))).toBe(false);
});

test("only the whole public key of a user is one", () => {
  const { publicKey } = new UserKey();
  expect(isUserKey(publicKey)).toBe(true);
  const other = publicKey[9] === "A" ? "B" : "A";
  const account = createAccount().getPublicKey();
  for (const text of [
    "",
    "U",
    "x",
    account,
    publicKey.slice(1),
    `${publicKey}A`,
    publicKey.replace(/^(.{9})./, `$1${other}`),
  ]) {
    expect(isUserKey(text), text).toBe(false);
  }
});
