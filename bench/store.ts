import { mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { silentLog } from "../lib/core/log.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { EtcdStore } from "../lib/store/etcd-store.ts";
import type { Store } from "../lib/store/store.ts";
import { openStore } from "../services/store/open-store.ts";
import { startEtcd } from "../test/kit/etcd.ts";
import { serveStore } from "../test/store/served-store.ts";

const KEY_COUNT = 10_000;
const VALUE_BYTES = 1024;
const WRITERS = [1, 64];

interface Contestant {
  readonly name: string;
  readonly store: Store;
  readonly stop: () => Promise<void>;
}

/**
 * Durable puts/s of 1 kB values on 10,000 keys. etcd and our server are processes of their own behind the same client;
 * in process is our store as the api-server has it in the all-in-one layout. Rounds of the three take turns.
 */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  // Not in /tmp, which may be memory: the disk is what is measured.
  const dir = mkdtempSync("/var/tmp/keelson-bench-store-");
  const contestants: Contestant[] = [];
  try {
    contestants.push(await inProcess(path.join(dir, "in-process")));
    contestants.push(await overGrpc(path.join(dir, "grpc")));
    contestants.push(await etcd(path.join(dir, "etcd")));
    for (const writers of WRITERS) await measure(print, { contestants, writers, ...options });
  } finally {
    for (const contestant of contestants) {
      await contestant.store.close();
      await contestant.stop();
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(
  print: (line: string) => void,
  setting: { contestants: readonly Contestant[]; writers: number; quick: boolean },
): Promise<void> {
  const roundCount = setting.quick ? 2 : 5;
  const roundMs = setting.quick ? 500 : 1_500;
  const rates = new Map<string, number[]>(setting.contestants.map(({ name }) => [name, []]));
  for (let round = 0; round <= roundCount; round++) {
    for (const { name, store } of setting.contestants) {
      const rate = await putsPerSecond(store, setting.writers, roundMs);
      // The first round warms.
      if (round > 0) rates.get(name)!.push(rate);
    }
  }
  const [ours, wire, peer] = setting.contestants.map(({ name }) => median(rates.get(name)!)) as [
    number,
    number,
    number,
  ];
  const clients = setting.writers === 1 ? "1-client" : `${setting.writers}-writers`;
  const line = (layout: string, rate: number) =>
    `store/${layout}-${clients}: ratio ${(rate / peer).toFixed(2)} (ours ${rate.toFixed(0)} puts/s, etcd ${peer.toFixed(0)} puts/s)`;
  print(line("in-process", ours));
  print(line("grpc", wire));
}

async function putsPerSecond(store: Store, writers: number, durationMs: number): Promise<number> {
  const value = new Uint8Array(VALUE_BYTES).fill(120);
  const before = (await store.status()).revision;
  const start = performance.now();
  const end = start + durationMs;
  let count = 0;
  const write = async () => {
    while (performance.now() < end) {
      const key = Buffer.from(`/registry/configmaps/bench/${String(count++ % KEY_COUNT).padStart(20, "0")}`);
      await store.txn({ compare: [], success: [{ type: "put", key, value }] });
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  const seconds = (performance.now() - start) / 1000;
  const written = (await store.status()).revision - before;
  if (written !== count) throw new Error(`${count} puts were acknowledged and ${written} revisions made`);
  return count / seconds;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)]!;
}

async function inProcess(dataDir: string): Promise<Contestant> {
  const onFatal = (reason: string) => {
    throw new Error(reason);
  };
  const store = await openStore({ dataDir, clock: realClock, random: realRandom, log: silentLog, onFatal });
  return { name: "in process", store, stop: async () => {} };
}

async function overGrpc(dataDir: string): Promise<Contestant> {
  const served = await serveStore([`--data-dir=${dataDir}`, "--insecure"]);
  return { name: "grpc", store: client(served.address), stop: () => served.stop() };
}

async function etcd(dataDir: string): Promise<Contestant> {
  const peer = await startEtcd({ dataDir });
  return { name: "etcd", store: client(peer.address), stop: () => peer.stop() };
}

function client(address: string): Store {
  return new EtcdStore({ clock: realClock, log: silentLog }, { endpoints: [address] });
}
