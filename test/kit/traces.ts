import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { runCommand } from "./kubectl.ts";

/** The name that a cluster has in the kernel; it can be read until the folder is purged. */
export function clusterId(dataDir: string): string {
  return (JSON.parse(readFileSync(path.join(dataDir, "cluster.json"), "utf8")) as { id: string }).id;
}

/** Whatever of a cluster the kernel still has: processes, network, mounts. */
export async function traces(id: string, dataDir: string): Promise<string[]> {
  const sources = [
    ["ip", "netns"],
    ["ip", "-o", "link"],
    ["ip", "route"],
    ["nft", "list", "tables"],
    ["iptables-save"],
    ["cat", "/proc/self/mounts"],
    ["ps", "-eo", "args"],
  ];
  // Of the node's containerd in the split layout, which names it by its folder.
  const folderId = createHash("sha256")
    .update(path.join(dataDir, "nodes", "node-1"))
    .digest("hex")
    .slice(0, 8);
  const marks = [`keelson-${id}`, `keel-${id}`, `/run/keelson/${id}`, `/run/keelson/${folderId}`, dataDir];
  const found: string[] = [];
  for (const command of sources) {
    const { stdout } = await runCommand(command);
    found.push(...stdout.split("\n").filter((line) => marks.some((mark) => line.includes(mark))));
  }
  return found;
}
