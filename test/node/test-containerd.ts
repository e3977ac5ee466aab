import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ContainerNode } from "../../cluster/container-node.ts";
import { silentLog } from "../../lib/core/log.ts";
import { runCommand } from "../../lib/process/command.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";

export interface TestContainerd {
  readonly socketPath: string;
  /** Name of a small image with a shell and busybox's tools. */
  readonly image: string;
  /** A folder that goes with it, for an agent's files too. */
  readonly dir: string;
  /** Name of the network namespace that everything of it lives in. */
  readonly namespace: string;
  stop(): Promise<void>;
}

/** A containerd of its own in a network namespace of its own; `stop` takes all of it away. Needs root. */
export async function startTestContainerd(podCidr: string): Promise<TestContainerd> {
  const id = `t${realRandom.suffix(6)}`;
  const namespace = `keelson-${id}`;
  const dir = mkdtempSync(path.join(tmpdir(), "keelson-node-"));
  const record = { id, runtime: "containerd", nodes: 1, apiPort: 0 } as const;
  const parts = { clock: realClock, random: realRandom, log: silentLog, run: runCommand };
  const stop = async (): Promise<void> => {
    await new ContainerNode(parts, dir, record).stop();
    await runCommand(["ip", "netns", "del", namespace]);
    rmSync(dir, { recursive: true, force: true });
  };
  await runCommand(["ip", "netns", "add", namespace]);
  try {
    await runCommand(["ip", "-n", namespace, "link", "set", "lo", "up"]);
    const script = path.join(import.meta.dirname, "start-containerd.ts");
    const enter = ["nsenter", `--net=/run/netns/${namespace}`];
    const printed = await runCommand([...enter, process.execPath, script, dir, id, podCidr]);
    const { socketPath, image } = JSON.parse(printed) as { socketPath: string; image: string };
    return { socketPath, image, dir, namespace, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
