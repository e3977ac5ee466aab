import { expect, test } from "vitest";
import { cidrsOverlap, formatCidr, formatIpv4, parseCidr, parseIpv4 } from "./cidr.ts";

test("an address goes to a number and back", () => {
  for (const text of ["0.0.0.0", "10.0.0.1", "192.168.255.254", "255.255.255.255"]) {
    expect(formatIpv4(parseIpv4(text)!)).toBe(text);
  }
});

test.each(["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "1.2.3.a", " 1.2.3.4", "::1"])(
  "%j is no address",
  (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  },
);

test("host bits of a range are cleared, and a bare address is a range of one", () => {
  expect(formatCidr(parseCidr("10.1.2.3/20")!)).toBe("10.1.0.0/20");
  expect(formatCidr(parseCidr("10.1.2.3")!)).toBe("10.1.2.3/32");
  expect(formatCidr(parseCidr("1.2.3.4/0")!)).toBe("0.0.0.0/0");
});

test.each(["default", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "fe80::/64"])(
  "%j is no range",
  (text) => {
    expect(parseCidr(text)).toBeUndefined();
  },
);

test("ranges overlap when one holds an address of the other", () => {
  const overlap = (a: string, b: string) => cidrsOverlap(parseCidr(a)!, parseCidr(b)!);
  expect(overlap("10.0.0.0/8", "10.9.0.0/16")).toBe(true);
  expect(overlap("10.9.0.0/16", "10.0.0.0/8")).toBe(true);
  expect(overlap("10.0.0.0/24", "10.0.1.0/24")).toBe(false);
  expect(overlap("0.0.0.0/0", "203.0.113.7")).toBe(true);
});
