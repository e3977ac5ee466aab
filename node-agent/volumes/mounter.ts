import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Mounts of this machine. */
export interface Mounter {
  tmpfs(path: string, sizeBytes: number | undefined): Promise<void>;
  /** `source` is taken as it stands, so that it may be an open file of this process under /proc. */
  bind(source: string, path: string): Promise<void>;
  unmount(path: string): Promise<void>;
  /** Paths under `prefix` where something is mounted, the deepest first. */
  mounted(prefix: string): Promise<readonly string[]>;
}

export const linuxMounter: Mounter = {
  async tmpfs(path, sizeBytes) {
    const options = sizeBytes === undefined ? "mode=0777" : `mode=0777,size=${sizeBytes}`;
    await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  },
  async bind(source, path) {
    await run("mount", ["--no-canonicalize", "--bind", source, path]);
  },
  async unmount(path) {
    await run("umount", [path]);
  },
  async mounted(prefix) {
    const table = await readFile("/proc/self/mountinfo", "utf8");
    const paths = table.split("\n").flatMap((line) => line.split(" ").slice(4, 5).map(unescapeOctal));
    return paths.filter((path) => path === prefix || path.startsWith(`${prefix}/`)).sort((a, b) => b.length - a.length);
  },
};

/** mountinfo writes blanks and backslashes as `\040`. */
function unescapeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
