import { describe, expect, test } from "vitest";
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  milliUnits,
  parseQuantity,
  QuantityError,
  subtractQuantities,
  wholeUnits,
} from "./quantity.ts";

describe("canonical text", () => {
  test.each([
    // Kept as written.
    ["0", "0"],
    ["100m", "100m"],
    ["1", "1"],
    ["129Mi", "129Mi"],
    ["05", "05"],
    ["+5", "+5"],
    ["12e6", "12e6"],
    ["3E", "3E"],
    // Rewritten.
    ["0Mi", "0"],
    ["0.0", "0"],
    ["-0", "0"],
    ["00", "0"],
    ["0.5", "500m"],
    ["1.5", "1500m"],
    ["1.25Gi", "1280Mi"],
    ["1000m", "1"],
    ["1000", "1k"],
    ["1e3", "1e3"],
    ["1000e3", "1e6"],
    ["1024Mi", "1Gi"],
    ["1.5Ki", "1536"],
    ["0.1Ki", "102400m"],
    ["1000000000000000000000", "1000E"],
    ["0.1n", "1n"],
    ["-0.1n", "-1n"],
    ["1e-1", "100e-3"],
    ["8191Pi", "8191Pi"],
    ["16Ei", "9223372036854775807"],
    ["1.00000000001", "1000000001n"],
  ])("%s is %s", (text, canonical) => {
    expect(canonicalQuantity(text)).toBe(canonical);
    expect(canonicalQuantity(canonical)).toBe(canonical);
  });

  test.each([
    "",
    " ",
    "m",
    ".",
    "-",
    "1.2.3",
    "1 ",
    " 1",
    "1ki",
    "1K",
    "1mi",
    "1e",
    "1ee3",
    "0x10",
    "1e1001",
    "NaN",
    "1e3m",
  ])("%j is refused", (text) => {
    expect(() => canonicalQuantity(text)).toThrow(QuantityError);
    expect(() => parseQuantity(text)).toThrow(QuantityError);
  });
});

describe("arithmetic", () => {
  test("compares by amount, whatever the format", () => {
    expect(compareQuantities(parseQuantity("1024Ki"), parseQuantity("1Mi"))).toBe(0);
    expect(compareQuantities(parseQuantity("1G"), parseQuantity("1Gi"))).toBe(-1);
    expect(compareQuantities(parseQuantity("1"), parseQuantity("999m"))).toBe(1);
  });

  test("adds and subtracts in the first one's format, or the second one's if the first is zero", () => {
    const sum = (left: string, right: string): string =>
      formatQuantity(addQuantities(parseQuantity(left), parseQuantity(right)));
    expect(sum("100m", "900m")).toBe("1");
    expect(sum("1Gi", "512Mi")).toBe("1536Mi");
    expect(sum("0", "1Gi")).toBe("1Gi");
    expect(sum("1", "1Ki")).toBe("1025");
    expect(formatQuantity(subtractQuantities(parseQuantity("1Gi"), parseQuantity("1Mi")))).toBe("1023Mi");
    expect(formatQuantity(subtractQuantities(parseQuantity("1"), parseQuantity("1")))).toBe("0");
  });

  test("whole and thousandth units round away from zero", () => {
    expect(wholeUnits(parseQuantity("100m"))).toBe(1n);
    expect(wholeUnits(parseQuantity("-1100m"))).toBe(-2n);
    expect(wholeUnits(parseQuantity("1Gi"))).toBe(1073741824n);
    expect(milliUnits(parseQuantity("1.5"))).toBe(1500n);
    expect(milliUnits(parseQuantity("1u"))).toBe(1n);
  });
});
