import { CniCode, CniError } from "../skel/cni-error.ts";
import type { Plugin } from "../skel/plugin.ts";
import type { Request } from "../skel/request.ts";
import type { Result, ResultRoute } from "../skel/result.ts";
import { type Exec, ExecError, inNetns, ipBatch } from "../skel/system.ts";
import { type BridgeConfig, parseBridgeConfig } from "./bridge-config.ts";
import { checkAttachment } from "./check.ts";
import { hostInterface, hostMac, linkAlias, macOf } from "./link-names.ts";

export interface BridgeParts {
  readonly exec: Exec;
  /** Hands out addresses, in this process. */
  readonly ipam: Plugin;
  /** Leads ports of the node to containers, in this process, where the configuration has that capability. */
  readonly ports: Plugin;
  /** Names of the interfaces in the node's own namespace. */
  readonly interfaceNames: () => ReadonlySet<string>;
}

/** Joins a container to a bridge of the node by a veth pair and gives it addresses. */
export function bridge(parts: BridgeParts): Plugin {
  return {
    add(request) {
      const config = parseBridgeConfig(request.config);
      if (request.interfaceName === "lo")
        throw new CniError(CniCode.invalidEnvironment, "CNI_IFNAME cannot be lo", "CNI_IFNAME");
      const link = hostInterface(request.network, request);
      if (parts.interfaceNames().has(link)) {
        throw new CniError(CniCode.alreadyAttached, "this container is attached already", link);
      }
      const addresses = parts.ipam.add(request);
      try {
        const result = attach(parts, config, request, link, addresses);
        return config.hasPorts
          ? parts.ports.add({ ...request, config: { ...request.config, prevResult: result } })
          : result;
      } catch (error) {
        deleteLink(parts.exec, link);
        parts.ipam.del(request);
        throw error;
      }
    },

    del(request) {
      const config = parseBridgeConfig(request.config);
      // First what leads to the address, then the address: no other container may have it while this one still does.
      if (config.hasPorts) parts.ports.del(request);
      deleteLink(parts.exec, hostInterface(request.network, request));
      parts.ipam.del(request);
    },

    check(request) {
      const config = parseBridgeConfig(request.config);
      parts.ipam.check(request);
      if (config.hasPorts) parts.ports.check(request);
      checkAttachment(parts.exec, config, request);
    },

    gc(request) {
      const config = parseBridgeConfig(request.config);
      if (config.hasPorts) parts.ports.gc(request);
      const valid = new Set(request.validAttachments.map((attachment) => hostInterface(request.network, attachment)));
      if (parts.interfaceNames().has(config.bridge)) {
        for (const link of linksOf(parts.exec, config.bridge, request.network)) {
          if (!valid.has(link)) deleteLink(parts.exec, link);
        }
      }
      parts.ipam.gc(request);
    },

    status(request) {
      parseBridgeConfig(request.config);
      try {
        parts.exec(["nsenter", "--version"]);
        parts.exec(["ip", "-V"]);
      } catch (error) {
        throw new CniError(
          CniCode.notAvailable,
          "a program that the plugin needs is missing",
          (error as ExecError).details,
          error,
        );
      }
      parts.ipam.status(request);
    },
  };
}

function attach(parts: BridgeParts, config: BridgeConfig, request: Request, link: string, addresses: Result): Result {
  const ips = addresses.ips ?? [];
  const gateways = ips.flatMap((ip) =>
    ip.gateway === undefined ? [] : [{ gateway: ip.gateway, address: ip.address }],
  );
  const mac = macOf((ips[0]?.address ?? "").split("/")[0]!);
  const bridgeMac = macOf(gateways[0]?.gateway ?? "");
  const mtu = config.mtu === undefined ? [] : ["mtu", String(config.mtu)];
  const onNode = (withBridge: boolean): string[][] => [
    ...(withBridge ? [["link", "add", config.bridge, "address", bridgeMac, ...mtu, "type", "bridge"]] : []),
    ...(config.isGateway
      ? gateways.map((ip) => [
          "addr",
          "replace",
          `${ip.gateway}/${prefixOf(ip.address)}`,
          "dev",
          config.bridge,
          ...nodad(ip.gateway),
        ])
      : []),
    ["link", "set", config.bridge, "up"],
    [
      "link",
      "add",
      link,
      "address",
      hostMac(link),
      ...mtu,
      "type",
      "veth",
      "peer",
      "name",
      request.interfaceName,
      "address",
      mac,
      ...mtu,
      "netns",
      request.netns,
    ],
    ["link", "set", link, "master", config.bridge, "alias", linkAlias(request.network), "up"],
    ...(config.hairpinMode ? [["link", "set", link, "type", "bridge_slave", "hairpin", "on"]] : []),
  ];
  addOnNode(parts, config.bridge, onNode);
  const routes = routesOf(config, addresses);
  ipBatch(parts.exec, inNetns(request.netns, []), [
    ...ips.map((ip) => ["addr", "add", ip.address, "dev", request.interfaceName, ...nodad(ip.address)]),
    ["link", "set", request.interfaceName, "up"],
    ...routes.map((route) => [
      "route",
      "add",
      route.dst,
      ...(route.gw === undefined ? [] : ["via", route.gw]),
      "dev",
      request.interfaceName,
    ]),
  ]);
  return {
    interfaces: [
      { name: config.bridge, mac: bridgeMac },
      { name: link, mac: hostMac(link) },
      { name: request.interfaceName, mac, sandbox: request.netns },
    ],
    ips: ips.map((ip) => ({ ...ip, interface: 2 })),
    ...(routes.length === 0 ? {} : { routes }),
    dns: config.dns,
  };
}

/** The first two containers of a node may both find no bridge; the one that loses goes on with the winner's. */
function addOnNode(parts: BridgeParts, name: string, commands: (withBridge: boolean) => string[][]): void {
  const isMissing = !parts.interfaceNames().has(name);
  try {
    ipBatch(parts.exec, [], commands(isMissing));
  } catch (error) {
    const lostRace =
      isMissing &&
      error instanceof ExecError &&
      error.stderr.includes("File exists") &&
      parts.interfaceNames().has(name);
    if (!lostRace) throw error;
    ipBatch(parts.exec, [], commands(false));
  }
}

function routesOf(config: BridgeConfig, addresses: Result): ResultRoute[] {
  const gatewayOf = (dst: string): string | undefined =>
    addresses.ips?.find((ip) => ip.address.includes(":") === dst.includes(":"))?.gateway;
  const asked = (addresses.routes ?? []).map((route) => {
    const gw = route.gw ?? gatewayOf(route.dst);
    return { dst: route.dst, ...(gw === undefined ? {} : { gw }) };
  });
  if (!config.isDefaultGateway) return asked;
  const defaults = (addresses.ips ?? []).flatMap((ip) => {
    const dst = ip.address.includes(":") ? "::/0" : "0.0.0.0/0";
    return ip.gateway === undefined || asked.some((route) => route.dst === dst) ? [] : [{ dst, gw: ip.gateway }];
  });
  return [...asked, ...defaults];
}

function prefixOf(address: string): string {
  return address.split("/")[1] ?? "";
}

/** Addresses are ours to give, so nobody needs to be asked first, which would take IPv6 a second. */
function nodad(address: string): string[] {
  return address.includes(":") ? ["nodad"] : [];
}

function deleteLink(exec: Exec, link: string): void {
  try {
    exec(["ip", "link", "del", link]);
  } catch (error) {
    if (!(error instanceof ExecError && error.stderr.includes("Cannot find device"))) throw error;
  }
}

function linksOf(exec: Exec, master: string, network: string): string[] {
  const listed = JSON.parse(exec(["ip", "-json", "link", "show", "master", master, "type", "veth"]) || "[]") as {
    ifname?: string;
    ifalias?: string;
  }[];
  return listed.flatMap((link) =>
    link.ifname !== undefined && link.ifalias === linkAlias(network) ? [link.ifname] : [],
  );
}
