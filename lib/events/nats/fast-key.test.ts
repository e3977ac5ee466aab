import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import { expect, test } from "vitest";
import { fastKey } from "./fast-key.ts";

test.each([createOperator, createAccount, createUser])("a fast key is the same key as the package's: %o", (create) => {
  const pair = create();
  const fast = fastKey(new TextDecoder().decode(pair.getSeed()));
  expect(fast.getPublicKey()).toBe(pair.getPublicKey());
  const text = new TextEncoder().encode("text");
  expect(fast.sign(text)).toEqual(pair.sign(text));
});
