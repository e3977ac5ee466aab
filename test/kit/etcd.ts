import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ended } from "./ended.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";

/** A real etcd of one member with a data directory of its own. */
export interface Etcd {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  stop(): Promise<void>;
}

/**
 * Starts one etcd (default: Debian's, package `etcd-server`) on loopback ports (for clients and for peers; default: free ones) and waits until it answers. Its data
 * directory is deleted when it stops.
 */
export async function startEtcd(
  options: { dataDir?: string; program?: string; ports?: readonly number[] } = {},
): Promise<Etcd> {
  const { dataDir = mkdtempSync(path.join(tmpdir(), "keelson-etcd-")), program = "etcd" } = options;
  const [clientPort, peerPort] = options.ports ?? (await freePorts(2));
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
