import { UsageError } from "./command.ts";
import { missingPrograms, type NeededProgram } from "./needed-programs.ts";

export type RuntimeName = "containerd" | "simulated";

/** What real containers need on the machine. */
const NEEDED: readonly NeededProgram[] = [
  ["containerd", "containerd"],
  ["runc", "runc"],
  ["nft", "nftables"],
  ["ip", "iproute2"],
  ["nsenter", "util-linux"],
  ["busybox", "busybox-static"],
];

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
  return missingPrograms(NEEDED, searchPath);
}
