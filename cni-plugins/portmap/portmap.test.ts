import { expect, test } from "vitest";
import { CniError } from "../skel/cni-error.ts";
import type { Request } from "../skel/request.ts";
import { ExecError } from "../skel/system.ts";
import { parsePortMappings } from "./port-mappings.ts";
import { portmap } from "./portmap.ts";

const asked = (...portMappings: unknown[]) => ({ runtimeConfig: { portMappings } });
const RESULT = { cniVersion: "1.0.0", ips: [{ address: "10.1.0.7/24" }], dns: {} };

function request(config: Record<string, unknown>): Request {
  return {
    command: "ADD",
    containerId: "c1",
    interfaceName: "eth0",
    netns: "/run/netns/x",
    args: new Map(),
    cniVersion: "1.0.0",
    network: "net",
    config: { prevResult: RESULT, ...config },
    validAttachments: [],
  };
}

/** nft with these rules in its chain; undefined: there is no such table. */
function node(rules?: { comment: string; handle: number }[]) {
  const scripts: string[] = [];
  const plugin = portmap((argv, input) => {
    if (argv.includes("-j")) {
      if (rules === undefined) throw new ExecError(argv, "Error: No such file or directory");
      return JSON.stringify({ nftables: [{ metainfo: {} }, ...rules.map((rule) => ({ rule }))] });
    }
    scripts.push(input ?? "");
    return "";
  });
  return { plugin, scripts };
}

test("mappings are read as runtimes write them", () => {
  const config = asked(
    { hostPort: 8080, containerPort: 80, protocol: "TCP", hostIP: "" },
    { hostPort: 53, containerPort: 5353, protocol: "udp", hostIP: "10.0.0.1" },
    { hostPort: 0, containerPort: 9 },
    { HostPort: 1, ContainerPort: 2, HostIP: "0.0.0.0", Protocol: "tcp" },
  );
  expect(parsePortMappings(config)).toEqual([
    { protocol: "tcp", hostPort: 8080, containerPort: 80, hostAddress: undefined },
    { protocol: "udp", hostPort: 53, containerPort: 5353, hostAddress: "10.0.0.1" },
    { protocol: "tcp", hostPort: 1, containerPort: 2, hostAddress: undefined },
  ]);
  expect(parsePortMappings({})).toEqual([]);
});

test.each<[string, unknown]>([
  ["no list", { runtimeConfig: { portMappings: 5 } }],
  ["no object", asked(5)],
  ["a port over 65535", asked({ hostPort: 70000, containerPort: 1 })],
  ["a port that is text", asked({ hostPort: "80", containerPort: 1 })],
  ["a fraction", asked({ hostPort: 1.5, containerPort: 1 })],
  ["no container port", asked({ hostPort: 80 })],
  ["an unknown protocol", asked({ hostPort: 80, containerPort: 80, protocol: "icmp" })],
  ["an address that is none", asked({ hostPort: 80, containerPort: 80, hostIP: "1.2.3.4; drop" })],
])("%s is refused", (_, config) => {
  expect(() => parsePortMappings(config as Record<string, unknown>)).toThrow(expect.objectContaining({ code: 7 }));
});

test("the result goes on as it was, and without ports nothing is run", () => {
  const { plugin, scripts } = node();
  const { cniVersion: _, ...result } = RESULT;
  expect(plugin.add(request({}))).toEqual(result);
  expect(scripts).toEqual([]);
  expect(() => plugin.add(request({ prevResult: undefined }))).toThrow(CniError);
  plugin.del(request({}));
  expect(scripts).toEqual([]);
});

test("all mappings are published in one transaction, or none", () => {
  const { plugin, scripts } = node();
  plugin.add(
    request(
      asked(
        { hostPort: 8080, containerPort: 80 },
        { hostPort: 53, containerPort: 53, protocol: "udp", hostIP: "10.0.0.1" },
      ),
    ),
  );
  expect(scripts).toHaveLength(1);
  expect(scripts[0]).toContain("meta l4proto tcp th dport 8080 ct mark set ct mark or 0x00100000 dnat to 10.1.0.7:80");
  expect(scripts[0]).toContain("ports ip daddr 10.0.0.1 meta l4proto udp th dport 53");
  const busy = node([{ comment: "vethother *:8080/tcp", handle: 3 }]);
  expect(() => busy.plugin.add(request(asked({ hostPort: 8080, containerPort: 80 })))).toThrow(
    expect.objectContaining({ code: 11 }),
  );
  expect(busy.scripts).toEqual([]);
});
