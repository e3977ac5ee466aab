import { expect, test } from "vitest";
import { type Cidr, cidrsOverlap, parseCidr } from "../lib/core/cidr.ts";
import { addressAt, planNetwork } from "./network-plan.ts";

const ranges = (...texts: string[]): Cidr[] => texts.map((text) => parseCidr(text)!);

test("one id has one plan, and its parts lie within the cluster's range without touching", () => {
  const plan = planNetwork("abc12", []);
  expect(planNetwork("abc12", [])).toEqual(plan);
  const cluster = parseCidr(plan.clusterCidr)!;
  const parts = ranges(plan.podCidr, plan.serviceCidr, `${plan.nodeAddress}/${plan.linkPrefixLength}`);
  for (const [i, part] of parts.entries()) {
    expect(cidrsOverlap(part, cluster)).toBe(true);
    for (const other of parts.slice(i + 1)) expect(cidrsOverlap(part, other)).toBe(false);
  }
  expect(cidrsOverlap(parseCidr(plan.nodePodCidr)!, parseCidr(plan.podCidr)!)).toBe(true);
});

test("names fit the kernel's limits", () => {
  expect(planNetwork("abcdefghij", []).machineInterface.length).toBeLessThanOrEqual(15);
  for (const id of ["", "abcdefghijk", "a-b", "A", "../x", "a b"])
    expect(() => planNetwork(id, [])).toThrow("id has 1 to 10");
});

test("a range in use is avoided, whether it holds the block or lies within it", () => {
  const first = planNetwork("x", []);
  for (const taken of [first.clusterCidr, `${first.nodeAddress}/32`, first.podCidr]) {
    const plan = planNetwork("x", ranges(taken));
    expect(plan.clusterCidr).not.toBe(first.clusterCidr);
    expect(cidrsOverlap(parseCidr(plan.clusterCidr)!, parseCidr(taken)!)).toBe(false);
  }
});

test("where all of 10.0.0.0/8 is in use the other private ranges serve, and in the end there is none", () => {
  expect(planNetwork("x", ranges("10.0.0.0/8")).clusterCidr).toMatch(/^172\.(2[4-9]|3[01])\./);
  expect(planNetwork("x", ranges("10.0.0.0/8", "172.16.0.0/12")).clusterCidr).toMatch(/^192\.168\./);
  expect(() => planNetwork("x", ranges("0.0.0.0/0"))).toThrow("no free range");
});

test("clusters with different ids rarely want the same block", () => {
  const blocks = new Set(Array.from({ length: 50 }, (_, i) => planNetwork(`id${i}`, []).clusterCidr));
  expect(blocks.size).toBeGreaterThan(45);
});

test("addressAt counts from the range's start", () => {
  expect(addressAt("10.96.0.0/22", 10)).toBe("10.96.0.10");
  expect(() => addressAt("10.96.0.0/30", 4)).toThrow("has no address number 4");
});
