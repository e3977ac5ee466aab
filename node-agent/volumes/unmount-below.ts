import type { RunCommand } from "../../lib/process/command.ts";
import { linuxMounter } from "./mounter.ts";

/** Unmounts the folder and everything below it; nothing mounted there is success. */
export async function unmountBelow(run: RunCommand, folder: string): Promise<void> {
  const points = await linuxMounter.mounted(folder);
  // Lazily: a process that still has a file open there must not hold things up.
  if (points.length > 0) await run(["umount", "--lazy", ...points]);
}
