import { expect, test } from "vitest";
import { uplinkMtu } from "./uplink-mtu.ts";

const links = JSON.stringify([
  { ifname: "lo", mtu: 65536 },
  { ifname: "eth0", mtu: 1400 },
  { ifname: "wg0", mtu: 1280 },
]);
const machine = (routes: unknown) => (argv: readonly string[]) =>
  Promise.resolve(argv.includes("route") ? (routes === "" ? "" : JSON.stringify(routes)) : links);

test("the smallest of the default routes' interfaces decides", async () => {
  expect(await uplinkMtu(machine([{ dst: "default", dev: "eth0" }]))).toBe(1400);
  expect(await uplinkMtu(machine([{ dev: "eth0" }, { dev: "wg0" }]))).toBe(1280);
});

test("without a default route it is Ethernet's", async () => {
  expect(await uplinkMtu(machine([]))).toBe(1500);
  expect(await uplinkMtu(machine(""))).toBe(1500);
  expect(await uplinkMtu(machine([{ dev: "gone0" }]))).toBe(1500);
});
