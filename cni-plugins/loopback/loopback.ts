import { CniCode, CniError } from "../skel/cni-error.ts";
import type { Plugin } from "../skel/plugin.ts";
import type { Request } from "../skel/request.ts";
import { type Exec, ExecError, inNetns } from "../skel/system.ts";

const LOOPBACK_ADDRESSES = [
  { address: "127.0.0.1/8", interface: 0 },
  { address: "::1/128", interface: 0 },
];

/** Brings `lo` of a container up; whatever name the runtime asked for, there is only this one. */
export function loopback(exec: Exec): Plugin {
  return {
    add(request) {
      exec(inNetns(request.netns, ["ip", "link", "set", "lo", "up"]));
      return {
        interfaces: [{ name: "lo", mac: "00:00:00:00:00:00", sandbox: request.netns }],
        ips: LOOPBACK_ADDRESSES,
      };
    },
    del(request) {
      if (request.netns === "") return;
      try {
        exec(inNetns(request.netns, ["ip", "link", "set", "lo", "down"]));
      } catch (error) {
        // The namespace went first, and its interfaces with it.
        if (!(error instanceof ExecError)) throw error;
      }
    },
    check(request) {
      if (!isUp(exec, request)) throw new CniError(CniCode.checkFailed, "lo is not up", request.netns);
    },
    gc() {},
    status() {},
  };
}

function isUp(exec: Exec, request: Request): boolean {
  return exec(inNetns(request.netns, ["ip", "-o", "link", "show", "dev", "lo", "up"])) !== "";
}
