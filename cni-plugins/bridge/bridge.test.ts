import { expect, test } from "vitest";
import { CniCode, CniError } from "../skel/cni-error.ts";
import type { Plugin } from "../skel/plugin.ts";
import type { Command, Request } from "../skel/request.ts";
import { ExecError } from "../skel/system.ts";
import { bridge } from "./bridge.ts";
import { hostInterface, hostMac, macOf } from "./link-names.ts";

const REQUEST: Request = {
  command: "ADD",
  containerId: "c1",
  interfaceName: "eth0",
  netns: "/run/netns/x",
  args: new Map(),
  cniVersion: "1.1.0",
  network: "net",
  config: { name: "net", type: "bridge", isDefaultGateway: true, ipam: { type: "fake" } },
  validAttachments: [],
};
const LINK = hostInterface("net", REQUEST);

/** A node on which programs run as the test says, and an address pool of one. */
function node(
  behaviour: (argv: readonly string[], input: string) => string | undefined = () => undefined,
  interfaces: string[] = [],
  fullPorts = false,
) {
  const log: string[] = [];
  const leases = new Set<string>();
  const note = (text: string) => () => {
    log.push(text);
  };
  const ipam: Plugin = {
    add(request) {
      log.push("reserve");
      leases.add(request.containerId);
      return { ips: [{ address: "10.0.0.2/24", gateway: "10.0.0.1" }], routes: [] };
    },
    del(request) {
      log.push("release");
      leases.delete(request.containerId);
    },
    check: note("check"),
    gc: note("gc"),
    status: note("status"),
  };
  const ports: Plugin = {
    add(request) {
      log.push("publish");
      if (fullPorts) throw new CniError(CniCode.tryAgainLater, "taken");
      return request.config["prevResult"] as ReturnType<Plugin["add"]>;
    },
    del: note("withdraw"),
    check: note("check ports"),
    gc: note("gc ports"),
    status: note("status"),
  };
  const plugin = bridge({
    ipam,
    ports,
    interfaceNames: () => new Set(interfaces),
    exec(argv, input = "") {
      log.push([...argv, input].join(" ").trim());
      return behaviour(argv, input) ?? "";
    },
  });
  return { plugin, log, leases };
}

const fails = (stderr: string) => {
  throw new ExecError(["ip"], stderr);
};
const ask = (command: Command, config: Record<string, unknown> = {}): Request => ({
  ...REQUEST,
  command,
  config: { ...REQUEST.config, ...config },
});

test("ADD makes the bridge once, the pair with its peer inside, and a default route", () => {
  const { plugin, log } = node();
  const result = plugin.add(REQUEST);
  expect(log).toHaveLength(3);
  expect(log[1]).toContain("link add cni0");
  expect(log[1]).toContain(
    `link add ${LINK} address ${hostMac(LINK)} type veth peer name eth0 address 0a:58:0a:00:00:02 netns /run/netns/x`,
  );
  expect(log[2]).toContain("nsenter --net=/run/netns/x ip -batch -");
  expect(log[2]).toContain("route add 0.0.0.0/0 via 10.0.0.1 dev eth0");
  expect(result.ips).toEqual([{ address: "10.0.0.2/24", gateway: "10.0.0.1", interface: 2 }]);
  const again = node(undefined, ["cni0"]);
  again.plugin.add(REQUEST);
  expect(again.log[1]).not.toContain("link add cni0");
});

test("invariant 49: an ADD that fails at any command leaves neither link nor address", () => {
  for (const stage of ["ip -batch", "nsenter"]) {
    const { plugin, log, leases } = node((argv) => (argv.join(" ").startsWith(stage) ? fails("no") : undefined));
    expect(() => plugin.add(REQUEST)).toThrow(CniError);
    expect(log.slice(-2)).toEqual([`ip link del ${LINK}`, "release"]);
    expect(leases.size).toBe(0);
  }
});

test("the second of two first containers goes on with the bridge of the first", () => {
  const interfaces: string[] = [];
  const { plugin, log } = node((argv, input) => {
    if (argv[0] !== "ip" || !input.includes("link add cni0")) return undefined;
    interfaces.push("cni0");
    return fails("RTNETLINK answers: File exists");
  }, interfaces);
  plugin.add(REQUEST);
  expect(log.filter((line) => line.startsWith("ip -batch"))).toHaveLength(2);
  expect(log).not.toContain("release");
});

test("ADD for a container that is attached is refused before anything is reserved", () => {
  const { plugin, log } = node(undefined, ["cni0", LINK]);
  expect(() => plugin.add(REQUEST)).toThrow(expect.objectContaining({ code: CniCode.alreadyAttached }));
  expect(log).toEqual([]);
});

test("DEL frees the address after the interface is gone, also when there is none", () => {
  const { plugin, log } = node(() => fails('Cannot find device "x"'));
  plugin.del({ ...ask("DEL"), netns: "" });
  expect(log).toEqual([`ip link del ${LINK}`, "release"]);
});

test("invariant 49: while the interface cannot be deleted the address stays reserved", () => {
  const { plugin, log } = node(() => fails("Operation not permitted"));
  expect(() => plugin.del(ask("DEL"))).toThrow(CniError);
  expect(log).not.toContain("release");
});

test("GC deletes interfaces of this network that belong to nobody, then frees addresses", () => {
  const other = hostInterface("net", { containerId: "gone", interfaceName: "eth0" });
  const links = [
    { ifname: LINK, ifalias: "cni:net" },
    { ifname: other, ifalias: "cni:net" },
    { ifname: "veth0123456789a", ifalias: "cni:another" },
    { ifname: "mine" },
  ];
  const { plugin, log } = node((argv) => (argv.includes("-json") ? JSON.stringify(links) : undefined), ["cni0"]);
  plugin.gc({ ...ask("GC"), validAttachments: [{ containerId: "c1", interfaceName: "eth0" }] });
  expect(log.slice(1)).toEqual([`ip link del ${other}`, "gc"]);
});

test("ports of the node lead to the address only while the container has it", () => {
  const config = { capabilities: { portMappings: true } };
  const { plugin, log } = node(undefined, ["cni0"]);
  expect(plugin.add(ask("ADD", config)).ips).toHaveLength(1);
  expect(log.at(-1)).toBe("publish");
  log.length = 0;
  plugin.del(ask("DEL", config));
  expect(log).toEqual(["withdraw", `ip link del ${LINK}`, "release"]);
  const full = node(undefined, ["cni0"], true);
  expect(() => full.plugin.add(ask("ADD", config))).toThrow("taken");
  expect(full.log.slice(-2)).toEqual([`ip link del ${LINK}`, "release"]);
});

test("STATUS tells of a missing program by code 50", () => {
  const { plugin } = node((argv) => (argv[0] === "nsenter" ? fails("ENOENT") : undefined));
  expect(() => plugin.status(ask("STATUS"))).toThrow(expect.objectContaining({ code: CniCode.notAvailable }));
});

test("nothing that a caller says can become another command or option", () => {
  const { plugin, log } = node();
  for (const netns of ["/run/x y", "/run/x\nlink del eth0", "/run/'x'"]) {
    expect(() => plugin.add({ ...REQUEST, netns })).toThrow(CniError);
  }
  expect(log.filter((line) => line.startsWith("ip -batch"))).toEqual([]);
  for (const name of ["-x", "a b", "a;b", "", "x".repeat(16), 5]) {
    expect(() => plugin.add(ask("ADD", { bridge: name }))).toThrow(
      expect.objectContaining({ code: CniCode.invalidConfig }),
    );
  }
});

test.each<[string, Record<string, unknown>, number]>([
  ["an unknown field", { frob: true }, 2],
  ["masquerade, which the node does", { ipMasq: true }, 2],
  ["a VLAN", { vlan: 5 }, 2],
  ["a size that is none", { mtu: 12 }, 7],
  ["a flag that is none", { hairpinMode: "yes" }, 7],
])("%s is refused", (_, config, code) => {
  expect(() => node().plugin.add(ask("ADD", config))).toThrow(expect.objectContaining({ code }));
});

test("what others' plugins write for off, and what runtimes add, is taken", () => {
  const config = {
    ipMasq: false,
    vlan: 0,
    promiscMode: false,
    "cni.dev/x": 1,
    capabilities: {},
    runtimeConfig: {},
    prevResult: {},
    args: { any: 1 },
  };
  expect(node().plugin.add(ask("ADD", config)).ips).toHaveLength(1);
});

test("names and addresses of links follow from who they are for", () => {
  expect(LINK).toMatch(/^veth[0-9a-f]{11}$/);
  expect(hostInterface("net", REQUEST)).toBe(LINK);
  expect(hostInterface("net2", REQUEST)).not.toBe(LINK);
  expect(hostInterface("net", { ...REQUEST, interfaceName: "eth1" })).not.toBe(LINK);
  expect(macOf("10.244.1.7")).toBe("0a:58:0a:f4:01:07");
  expect(hostMac(LINK)).toMatch(/^fe:58(:[0-9a-f]{2}){4}$/);
});
