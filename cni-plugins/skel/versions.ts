import type { Command } from "./request.ts";

/** Oldest first. 0.3.1 is what containerd 1.6 asks its loopback plugin for. */
export const SUPPORTED_VERSIONS: readonly string[] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

const FIRST_VERSION_OF: Readonly<Partial<Record<Command, string>>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };

/** True when `version` is known and has `command`. */
export function isSupported(version: string, command: Command): boolean {
  const index = SUPPORTED_VERSIONS.indexOf(version);
  return index >= 0 && index >= SUPPORTED_VERSIONS.indexOf(FIRST_VERSION_OF[command] ?? "0.3.0");
}

/** Before 1.0 each address of a result says of which family it is. */
export function hasAddressFamily(version: string): boolean {
  return SUPPORTED_VERSIONS.indexOf(version) < SUPPORTED_VERSIONS.indexOf("1.0.0");
}
