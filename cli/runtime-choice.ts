import { existsSync } from "node:fs";
import path from "node:path";
import { UsageError } from "./command.ts";

export type RuntimeName = "containerd" | "simulated";

/** What real containers need on the machine, as program and Debian package. */
const NEEDED: readonly (readonly [program: string, debianPackage: string])[] = [
  ["containerd", "containerd"],
  ["runc", "runc"],
  ["nft", "nftables"],
  ["ip", "iproute2"],
  ["nsenter", "util-linux"],
  ["busybox", "busybox-static"],
];
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** `asked`, or containerd where it can run; `reason` says why not when the choice fell to simulated by itself. */
export function chooseRuntime(
  asked: RuntimeName | undefined,
  searchPath: string,
): { runtime: RuntimeName; reason: string } {
  if (asked === "simulated") return { runtime: "simulated", reason: "" };
  const obstacle = containerdObstacle(searchPath);
  if (obstacle === "") return { runtime: "containerd", reason: "" };
  if (asked === "containerd") throw new UsageError(`--runtime=containerd: ${obstacle}`);
  return { runtime: "simulated", reason: obstacle };
}

function containerdObstacle(searchPath: string): string {
  if (process.getuid?.() !== 0) return "real containers need root";
  const folders = [...searchPath.split(":").filter((folder) => folder !== ""), ...SYSTEM_FOLDERS];
  const missing = NEEDED.filter(([program]) => !folders.some((folder) => existsSync(path.join(folder, program))));
  if (missing.length === 0) return "";
  return `not installed: ${missing.map(([program]) => program).join(", ")}; on Debian: apt-get install ${missing.map(([, name]) => name).join(" ")}`;
}
