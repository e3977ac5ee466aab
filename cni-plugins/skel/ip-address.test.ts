import { expect, test } from "vitest";
import { formatAddress, parseAddress, parseSubnet } from "./ip-address.ts";

test.each([
  ["10.1.2.3", "10.1.2.3"],
  ["::", "::"],
  ["::1", "::1"],
  ["fd00:0:0:1::5", "fd00:0:0:1::5"],
  ["FD00:0000:0:0:0:0:0:00AB", "fd00::ab"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ["1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"],
])("%s is written %s", (text, canonical) => {
  expect(formatAddress(parseAddress(text)!)).toBe(canonical);
});

test.each(["", "1.2.3", "1.2.3.256", "::g", "fe80::1%eth0", "::ffff:1.2.3.4", "1::2::3", "/etc/passwd", ".."])(
  "%j is no address",
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);

test("a subnet knows its first and last address", () => {
  const v4 = parseSubnet("10.1.2.3/24")!;
  expect([formatAddress({ family: 4, value: v4.first }), formatAddress({ family: 4, value: v4.last })]).toEqual([
    "10.1.2.0",
    "10.1.2.255",
  ]);
  const v6 = parseSubnet("fd00:1::/64")!;
  expect(formatAddress({ family: 6, value: v6.last })).toBe("fd00:1::ffff:ffff:ffff:ffff");
  for (const text of ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "10.0.0.0/x", "10.0.0.0/8/8"])
    expect(parseSubnet(text)).toBeUndefined();
});
