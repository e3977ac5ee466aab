import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { silentLog } from "../../lib/core/log.ts";
import { runCommand } from "../../lib/process/command.ts";
import { findProcesses, signalProcess } from "../../lib/process/process-identity.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { ContainerNode } from "../../node-agent/container-node.ts";

export interface TestContainerd {
  readonly socketPath: string;
  /** Name of a small image with a shell and busybox's tools. */
  readonly image: string;
  /** A folder that goes with it, for an agent's files too. */
  readonly dir: string;
  /** Name of the network namespace that everything of it lives in. */
  readonly namespace: string;
  /** kill -9 of containerd alone; containers and their shims go on. */
  kill(): void;
  /** Starts containerd again where it is killed. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A containerd of its own in a network namespace of its own; `stop` takes all of it away. Needs root. */
export async function startTestContainerd(podCidr: string): Promise<TestContainerd> {
  const id = `t${realRandom.suffix(6)}`;
  const namespace = `keelson-${id}`;
  const dir = mkdtempSync(path.join(tmpdir(), "keelson-node-"));
  const parts = { clock: realClock, random: realRandom, log: silentLog, run: runCommand };
  const stop = async (): Promise<void> => {
    await new ContainerNode(parts, { dataDir: dir, id }).stop();
    await runCommand(["ip", "netns", "del", namespace]);
    rmSync(dir, { recursive: true, force: true });
  };
  await runCommand(["ip", "netns", "add", namespace]);
  try {
    await runCommand(["ip", "-n", namespace, "link", "set", "lo", "up"]);
    const script = fileURLToPath(new URL("./start-containerd.ts", import.meta.url));
    const enter = ["nsenter", `--net=/run/netns/${namespace}`];
    const start = async () => {
      const printed = await runCommand([...enter, process.execPath, script, dir, id, podCidr]);
      return JSON.parse(printed) as { socketPath: string; image: string };
    };
    const { socketPath, image } = await start();
    const kill = (): void => {
      const config = path.join(path.dirname(socketPath), "config.toml");
      for (const found of findProcesses((argv) => argv[2] === config)) signalProcess(found, "SIGKILL");
    };
    const restart = async (): Promise<void> => void (await start());
    return { socketPath, image, dir, namespace, kill, restart, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
