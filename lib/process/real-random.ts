import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { type Random, SUFFIX_ALPHABET } from "../core/random.ts";

/** Randomness of the operating system. */
export const realRandom: Random = {
  uuid: () => randomUUID(),
  suffix(length) {
    let text = "";
    for (let i = 0; i < length; i++) text += SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)];
    return text;
  },
  float: () => Math.random(),
  bytes: (length) => randomBytes(length),
};
