import { hostInterface } from "../bridge/link-names.ts";
import { CniCode, CniError } from "../skel/cni-error.ts";
import type { Plugin } from "../skel/plugin.ts";
import { isObject, type Request } from "../skel/request.ts";
import type { Result } from "../skel/result.ts";
import type { Exec } from "../skel/system.ts";
import { parsePortMappings } from "./port-mappings.ts";
import { PortTable } from "./port-table.ts";

/**
 * Leads ports of the node to a container. In a list of plugins it comes after the one that gives the address; our bridge
 * runs it in its own process instead.
 */
export function portmap(exec: Exec): Plugin {
  const tableOf = (request: Request): PortTable => new PortTable(exec, request.network);
  return {
    add(request) {
      const result = previousResult(request);
      publish(exec, request, result);
      return result;
    },
    del(request) {
      tableOf(request).withdraw(ownerOf(request));
    },
    check(request) {
      const wanted = parsePortMappings(request.config).length;
      if (tableOf(request).count(ownerOf(request)) !== wanted) {
        throw new CniError(CniCode.checkFailed, "ports of the node do not lead to the container", `${wanted} wanted`);
      }
    },
    gc(request) {
      const owners = request.validAttachments.map((attachment) => hostInterface(request.network, attachment));
      tableOf(request).collect(new Set(owners));
    },
    status() {},
  };
}

/** Publishes what the runtime asks for; nothing asked costs nothing. */
export function publish(exec: Exec, request: Request, result: Result): void {
  const mappings = parsePortMappings(request.config);
  if (mappings.length === 0) return;
  const address = result.ips?.find((ip) => !ip.address.includes(":"))?.address;
  if (address === undefined) throw new CniError(CniCode.invalidConfig, "ports need an IPv4 address to lead to");
  new PortTable(exec, request.network).publish(ownerOf(request), address, mappings);
}

function ownerOf(request: Request): string {
  return hostInterface(request.network, request);
}

function previousResult(request: Request): Result {
  const previous = request.config["prevResult"];
  if (!isObject(previous)) throw new CniError(CniCode.invalidConfig, "prevResult is missing or not an object");
  const { cniVersion: _, ...result } = previous;
  return result as Result;
}
