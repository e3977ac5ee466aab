import { expect, test } from "vitest";
import { HealthCheckRequest } from "../gen/grpc/health/v1/health.ts";
import { decodeStrictly } from "./strict-reader.ts";

test("a message that is in order is read, fields that are not known left out", () => {
  const bytes = Uint8Array.of(0x0a, 2, 0xc3, 0xa9, 0x10, 1, 0x1a, 1, 0, 0x25, 1, 2, 3, 4);
  expect(decodeStrictly(HealthCheckRequest, bytes)).toEqual({ service: "é" });
  expect(decodeStrictly(HealthCheckRequest, new Uint8Array())).toEqual({ service: "" });
});

test.each([
  ["bytes that are no UTF-8", [0x0a, 1, 0xff]],
  ["half a surrogate pair", [0x0a, 3, 0xed, 0xa0, 0x80]],
  ["a group", [0x13, 0x14]],
  ["the end of a group", [0x0a, 1, 0x61, 0x14, 0x0a]],
  ["field number 0", [0x00, 0x0a, 1, 0x61]],
  ["a wire type that is none", [0x16, 1]],
  ["a length beyond the end", [0x0a, 5, 0x61]],
  ["a huge length", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ["a varint too long, in a field that is not known", [0x18, ...Array<number>(10).fill(0x80), 0]],
  ["a varint without an end", [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
])("%s is refused", (_what, bytes) => {
  expect(() => decodeStrictly(HealthCheckRequest, Uint8Array.from(bytes))).toThrow();
});
