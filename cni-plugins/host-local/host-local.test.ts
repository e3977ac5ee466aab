import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CniError } from "../skel/cni-error.ts";
import type { Command, Request } from "../skel/request.ts";
import { hostLocal } from "./host-local.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "host-local-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

interface Asked {
  readonly command?: Command;
  readonly id?: string;
  readonly ipam?: Record<string, unknown>;
  readonly config?: Record<string, unknown>;
  readonly args?: Record<string, string>;
  readonly valid?: string[];
}

function request({ command = "ADD", id = "c1", ipam = {}, config = {}, args = {}, valid = [] }: Asked): Request {
  return {
    command,
    containerId: id,
    interfaceName: "eth0",
    netns: "",
    args: new Map(Object.entries(args)),
    cniVersion: "1.1.0",
    network: "net",
    config: { ipam: { type: "host-local", dataDir: dir, ranges: [[{ subnet: "10.1.0.0/29" }]], ...ipam }, ...config },
    validAttachments: valid.map((containerId) => ({ containerId, interfaceName: "eth0" })),
  };
}

const add = (asked: Asked = {}) => hostLocal.add(request(asked)).ips!.map((ip) => ip.address);
const del = (id: string) => hostLocal.del(request({ command: "DEL", id }));
const reserved = () => {
  mkdirSync(path.join(dir, "net"), { recursive: true });
  return readdirSync(path.join(dir, "net")).filter((name) => name.startsWith("10."));
};

function codeOf(action: () => unknown): number | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error instanceof CniError ? error.code : -1;
  }
}

test("addresses go round, without network, broadcast and gateway", () => {
  const given = Array.from({ length: 5 }, (_, i) => add({ id: `c${i}` })[0]);
  expect(given).toEqual(["10.1.0.2/29", "10.1.0.3/29", "10.1.0.4/29", "10.1.0.5/29", "10.1.0.6/29"]);
  del("c1");
  del("c3");
  expect([add({ id: "d1" })[0], add({ id: "d2" })[0]]).toEqual(["10.1.0.3/29", "10.1.0.5/29"]);
});

test("an address that was just freed is the last to be given again", () => {
  expect(add({ id: "a" })).toEqual(["10.1.0.2/29"]);
  del("a");
  expect(add({ id: "b" })).toEqual(["10.1.0.3/29"]);
});

test("an empty pool is code 11, and 50 in STATUS", () => {
  const status = () => hostLocal.status(request({ command: "STATUS" }));
  for (let i = 0; i < 5; i++) {
    expect(codeOf(status)).toBeUndefined();
    add({ id: `c${i}` });
  }
  expect(codeOf(() => add({ id: "more" }))).toBe(11);
  expect(codeOf(status)).toBe(50);
});

test("invariant 49: ADD twice is an error, DEL twice is none", () => {
  add({ id: "a" });
  expect(codeOf(() => add({ id: "a" }))).toBe(102);
  expect(reserved()).toEqual(["10.1.0.2"]);
  del("a");
  del("a");
  expect(reserved()).toEqual([]);
});

test("invariant 49: when one pool of two is empty nothing stays reserved", () => {
  const ranges = [[{ subnet: "10.1.0.0/29" }], [{ subnet: "10.2.0.0/30" }]];
  add({ id: "a", ipam: { ranges } });
  expect(codeOf(() => add({ id: "b", ipam: { ranges } }))).toBe(11);
  expect(reserved()).toEqual(["10.1.0.2", "10.2.0.2"]);
});

test("invariant 49: GC frees what is not listed, and what a crash left", () => {
  for (const id of ["a", "b", "c"]) add({ id });
  const leftover = path.join(dir, "net", ".new-999999999");
  writeFileSync(leftover, "a\n");
  hostLocal.gc(request({ command: "GC", valid: ["b"] }));
  expect(reserved()).toEqual(["10.1.0.3"]);
  expect(readdirSync(path.join(dir, "net"))).not.toContain(".new-999999999");
  hostLocal.gc(request({ command: "GC" }));
  expect(reserved()).toEqual([]);
});

test("a wanted address is given when it is free", () => {
  expect(add({ id: "a", args: { IP: "10.1.0.5" } })).toEqual(["10.1.0.5/29"]);
  expect(codeOf(() => add({ id: "b", config: { runtimeConfig: { ips: ["10.1.0.5"] } } }))).toBe(11);
  expect(codeOf(() => add({ id: "c", args: { IP: "10.9.0.5" } }))).toBe(7);
  expect(codeOf(() => add({ id: "d", args: { IP: "10.1.0.1" } }))).toBe(7);
  expect(codeOf(() => add({ id: "e", args: { IP: "x" } }))).toBe(7);
  expect(reserved()).toEqual(["10.1.0.5"]);
});

test("both families, several ranges of one pool, and routes", () => {
  const ipam = {
    ranges: [
      [{ subnet: "10.1.0.0/30" }, { subnet: "10.5.0.0/24", rangeStart: "10.5.0.9", gateway: "10.5.0.254" }],
      [{ subnet: "fd00:1::/64" }],
    ],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "10.0.0.0/8", gw: "10.1.0.1" }],
  };
  expect(add({ id: "a", ipam })).toEqual(["10.1.0.2/30", "fd00:1::2/64"]);
  const result = hostLocal.add(request({ id: "b", ipam }));
  expect(result.ips).toEqual([
    { address: "10.5.0.9/24", gateway: "10.5.0.254" },
    { address: "fd00:1::3/64", gateway: "fd00:1::1" },
  ]);
  expect(result.routes).toEqual(ipam.routes);
});

test("CHECK fails without a reservation", () => {
  expect(codeOf(() => hostLocal.check(request({ command: "CHECK" })))).toBe(101);
  add();
  expect(codeOf(() => hostLocal.check(request({ command: "CHECK" })))).toBeUndefined();
});

test.each<[string, Record<string, unknown>, number]>([
  ["no range", { ranges: [] }, 7],
  ["an empty pool", { ranges: [[]] }, 7],
  ["a range that is no object", { ranges: [["10.0.0.0/8"]] }, 7],
  ["ranges that are no list", { ranges: "10.0.0.0/8" }, 7],
  ["a subnet that is none", { ranges: [[{ subnet: "10.0.0.0/99" }]] }, 7],
  ["a subnet without a free address", { ranges: [[{ subnet: "10.0.0.0/31" }]] }, 7],
  ["a start outside", { ranges: [[{ subnet: "10.0.0.0/24", rangeStart: "10.0.1.1" }]] }, 7],
  [
    "an end before the start",
    { ranges: [[{ subnet: "10.0.0.0/24", rangeStart: "10.0.0.9", rangeEnd: "10.0.0.8" }]] },
    7,
  ],
  ["the broadcast address as an end", { ranges: [[{ subnet: "10.0.0.0/24", rangeEnd: "10.0.0.255" }]] }, 7],
  ["a gateway outside", { ranges: [[{ subnet: "10.0.0.0/24", gateway: "10.0.1.1" }]] }, 7],
  ["ranges that overlap", { ranges: [[{ subnet: "10.0.0.0/16" }], [{ subnet: "10.0.1.0/24" }]] }, 7],
  ["families mixed in one pool", { ranges: [[{ subnet: "10.0.0.0/16" }, { subnet: "fd00::/64" }]] }, 7],
  ["a route that is none", { routes: [{ dst: "x" }] }, 7],
  ["a relative folder", { dataDir: "x" }, 7],
  ["another type", { type: "dhcp" }, 2],
  ["a field that is not known", { frob: 1 }, 2],
  ["a field of a range that is not known", { ranges: [[{ subnet: "10.0.0.0/24", frob: 1 }]] }, 2],
])("%s is refused", (_, ipam, code) => {
  expect(codeOf(() => add({ ipam }))).toBe(code);
});

test("an unknown field is named with its value", () => {
  try {
    add({ ipam: { frob: { a: 1 } } });
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ message: "field ipam.frob is not supported", details: 'ipam.frob={"a":1}' });
  }
});

test("invariant 49: whatever comes in whatever order, an address has one owner and an owner one address", () => {
  const step = fc.record({
    verb: fc.constantFrom("add", "del", "gc"),
    id: fc.integer({ min: 0, max: 7 }).map((number) => `c${number}`),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      hostLocal.gc(request({ command: "GC" }));
      const model = new Map<string, string>();
      for (const { verb, id } of steps) {
        if (verb === "del") {
          del(id);
          model.delete(id);
        } else if (verb === "gc") {
          hostLocal.gc(request({ command: "GC", valid: [id] }));
          for (const other of model.keys()) if (other !== id) model.delete(other);
        } else {
          const expected = model.has(id) ? 102 : model.size === 5 ? 11 : undefined;
          expect(codeOf(() => model.set(id, add({ id })[0]!.split("/")[0]!))).toBe(expected);
        }
        expect(new Set(reserved())).toEqual(new Set(model.values()));
        expect(new Set(model.values()).size).toBe(model.size);
      }
    }),
    { numRuns: 60 },
  );
});
