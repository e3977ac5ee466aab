import { existsSync } from "node:fs";
import path from "node:path";

const FOLDERS = (process.env["PATH"] ?? "").split(":").concat(["/usr/sbin", "/sbin", "/usr/bin", "/bin"]);

/**
 * Why a suite with real containers cannot run here; empty when it can. A suite passes it to `describe.skipIf` after
 * saying it aloud, so that it counts as skipped and never as passed.
 */
export function whyNotContainers(): string {
  if (process.getuid?.() !== 0) return "needs root";
  return whyNotPrograms(["containerd", "runc", "nft", "ip", "nsenter", "busybox"]);
}

/** The same of a layout of `keelson up`. */
export function whyNotLayout(layout: "all-in-one" | "split"): string {
  return layout === "split" ? whyNotPrograms(["haproxy", "nats-server"]) : "";
}

export function whyNotPrograms(programs: readonly string[]): string {
  const missing = programs.filter((program) => !FOLDERS.some((folder) => existsSync(path.join(folder, program))));
  return missing.length === 0 ? "" : `not installed: ${missing.join(", ")}`;
}

/** Prints the reason loudly and returns whether to skip. */
export function skipping(suite: string, reason: string): boolean {
  if (reason !== "") process.stderr.write(`SKIPPED ${suite}: ${reason}\n`);
  return reason !== "";
}
