import { existsSync } from "node:fs";
import path from "node:path";

/** A program of the machine and the Debian package that has it. */
export type NeededProgram = readonly [program: string, debianPackage: string];

const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Which of them are not installed and how to get them; empty when all are. */
export function missingPrograms(needed: readonly NeededProgram[], searchPath: string): string {
  const folders = [...searchPath.split(":").filter((folder) => folder !== ""), ...SYSTEM_FOLDERS];
  const missing = needed.filter(([program]) => !folders.some((folder) => existsSync(path.join(folder, program))));
  if (missing.length === 0) return "";
  const [programs, packages] = [0, 1].map((index) => missing.map((one) => one[index as 0 | 1]));
  return `not installed: ${programs?.join(", ")}; on Debian: apt-get install ${packages?.join(" ")}`;
}
