import { readFileSync } from "node:fs";
import { hostLocal } from "../host-local/host-local.ts";
import { portmap } from "../portmap/portmap.ts";
import { run } from "../skel/run.ts";
import { exec } from "../skel/system.ts";
import { bridge } from "./bridge.ts";

/** From /proc, which follows the namespace of this process (/sys/class/net follows that of whoever mounted it). */
function interfaceNames(): Set<string> {
  const lines = readFileSync("/proc/net/dev", "utf8").split("\n").slice(2);
  return new Set(lines.map((line) => line.slice(0, line.indexOf(":")).trim()));
}

run(bridge({ exec, ipam: hostLocal, ports: portmap(exec), interfaceNames }), process.env);
