import { expect, test } from "vitest";
import { ownAddressTowards } from "./own-address.ts";

test("the address towards loopback is loopback, and where no way leads there is none", async () => {
  expect(await ownAddressTowards("127.0.0.1", 9)).toBe("127.0.0.1");
  await expect(ownAddressTowards("255.255.255.255", 9)).rejects.toThrow(/EACCES|ENETUNREACH/);
  await expect(ownAddressTowards("no.such.name.invalid", 9)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
});
