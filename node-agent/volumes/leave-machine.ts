import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Mounter } from "./mounter.ts";

/** Takes everything of all pods of an agent from this machine, for a node that is taken down: call it when nothing runs any more. */
export async function leaveMachine(mounter: Mounter, rootDir: string): Promise<void> {
  const podsDir = join(rootDir, "pods");
  for (const path of await mounter.mounted(podsDir)) await mounter.unmount(path);
  await rm(podsDir, { recursive: true, force: true });
}
