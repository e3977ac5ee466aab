import { CniCode, CniError } from "../skel/cni-error.ts";
import { isObject, type Request } from "../skel/request.ts";
import { type Exec, ExecError, inNetns } from "../skel/system.ts";
import type { BridgeConfig } from "./bridge-config.ts";
import { hostInterface } from "./link-names.ts";

interface IpLink {
  readonly ifname?: string;
  readonly master?: string;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly { local?: string; prefixlen?: number }[];
}

/** Compares what is in the kernel with the result of ADD, which CHECK is given as `prevResult`. */
export function checkAttachment(exec: Exec, config: BridgeConfig, request: Request): void {
  const previous = request.config["prevResult"];
  if (!isObject(previous)) throw new CniError(CniCode.invalidConfig, "prevResult is missing or not an object");
  const link = hostInterface(request.network, request);
  const outside = show(exec, ["ip", "-json", "link", "show", "dev", link]);
  if (outside?.master !== config.bridge) throw failed(`${link} is not on ${config.bridge}`);
  const inside = show(exec, inNetns(request.netns, ["ip", "-json", "addr", "show", "dev", request.interfaceName]));
  if (inside === undefined) throw failed(`${request.interfaceName} is gone`);
  if (inside.flags?.includes("UP") !== true) throw failed(`${request.interfaceName} is not up`);
  const present = new Set(inside.addr_info?.map((address) => `${address.local}/${address.prefixlen}`));
  for (const ip of asObjects(previous["ips"])) {
    if (!present.has(String(ip["address"])))
      throw failed(`${request.interfaceName} lacks the address ${String(ip["address"])}`);
  }
  const routes = exec(inNetns(request.netns, ["ip", "route", "show", "dev", request.interfaceName]));
  for (const route of asObjects(previous["routes"])) {
    const shown = route["dst"] === "0.0.0.0/0" ? "default" : String(route["dst"]);
    if (shown.includes(":")) continue;
    if (!routes.split("\n").some((line) => line.startsWith(`${shown} `))) throw failed(`the route to ${shown} is gone`);
  }
}

function show(exec: Exec, argv: readonly string[]): IpLink | undefined {
  try {
    return (JSON.parse(exec(argv)) as IpLink[])[0];
  } catch (error) {
    if (error instanceof ExecError) return undefined;
    throw error;
  }
}

function asObjects(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function failed(why: string): CniError {
  return new CniError(CniCode.checkFailed, "the network is not as it was made", why);
}
