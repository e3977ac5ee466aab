import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { eventually } from "./eventually.ts";

/** A real etcd of one member with a data directory of its own. */
export interface Etcd {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  stop(): Promise<void>;
}

/**
 * Starts one etcd (default: Debian's, package `etcd-server`) on free loopback ports and waits until it answers. Its data
 * directory is deleted when it stops.
 */
export async function startEtcd(options: { dataDir?: string; program?: string } = {}): Promise<Etcd> {
  const { dataDir = mkdtempSync(path.join(tmpdir(), "keelson-etcd-")), program = "etcd" } = options;
  const [clientPort, peerPort] = await freePorts(2);
  const client = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const flags = [
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    "--log-level=error",
  ];
  const child = spawn(program, flags, { stdio: "ignore" });
  const stop = async () => {
    await ended(child);
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    await eventually(async () => {
      const health = (await (await fetch(`${client}/health`)).json()) as { health: string };
      if (health.health !== "true") throw new Error("etcd is not healthy yet");
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { address: `127.0.0.1:${clientPort}`, stop };
}

/** Kills a process that this test has started and waits for its end. */
export function ended(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}

/** Ports that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
