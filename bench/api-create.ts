import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { silentLog } from "../lib/core/log.ts";
import { Authority, generateSigningKey } from "../lib/pki/authority.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { EtcdStore } from "../lib/store/etcd-store.ts";
import { ended } from "../test/kit/ended.ts";
import { startEtcd } from "../test/kit/etcd.ts";
import type { GeneratorOrder, GeneratorReport } from "./api-create-generator.ts";
import type { ServerOrder, ServerReport } from "./api-create-server.ts";

const CLIENTS = 64;
const VALUE_BYTES = 1024;

/**
 * Creates/s of a ConfigMap of 1 kB over HTTPS with 64 connections, against durable puts/s of 1 kB that Debian's etcd gives
 * 64 clients. The api-server has its store on disk in its own process, the generator is another process; rounds take turns.
 */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  // Not in /tmp, which may be memory: the disk is part of what is measured.
  const dir = mkdtempSync("/var/tmp/keelson-bench-api-");
  const children: ChildProcess[] = [];
  const etcd = await startEtcd({ dataDir: path.join(dir, "etcd") });
  const peer = new EtcdStore({ clock: realClock, log: silentLog }, { endpoints: [etcd.address] });
  try {
    const server = start("api-create-server.ts", ["--disallow-code-generation-from-strings"]);
    const generator = start("api-create-generator.ts", []);
    children.push(server, generator);
    const { order, credentials } = await identities(path.join(dir, "store"));
    const { port } = await ask<ServerOrder, ServerReport>(server, order);
    const rounds = options.quick ? 2 : 5;
    const durationMs = options.quick ? 1_000 : 3_000;
    const ours: GeneratorReport[] = [];
    const theirs: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const order: GeneratorOrder = {
        ...credentials,
        port,
        clients: CLIENTS,
        valueBytes: VALUE_BYTES,
        durationMs,
        round,
      };
      const report = await ask<GeneratorOrder, GeneratorReport>(generator, order);
      const rate = await putsPerSecond(peer, durationMs);
      // The first round warms.
      if (round === 0) continue;
      ours.push(report);
      theirs.push(rate);
    }
    const rate = median(ours.map((report) => report.perSecond));
    const p99Ms = median(ours.map((report) => report.p99Ms));
    const peerRate = median(theirs);
    print(
      `api-create/configmap-1kB-${CLIENTS}-connections: ratio ${(rate / peerRate).toFixed(2)} ` +
        `(ours ${rate.toFixed(0)} creates/s, etcd ${peerRate.toFixed(0)} puts/s)`,
    );
    print(`api-create/p99: limit ${p99Ms.toFixed(1)} ms`);
  } finally {
    for (const child of children) await ended(child);
    await peer.close();
    await etcd.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export async function identities(dataDir: string) {
  const serverCa = await Authority.create("server", realClock, realRandom);
  const clientCa = await Authority.create("client", realClock, realRandom);
  const tls = await serverCa.issue({
    commonName: "kube-apiserver",
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validityDays: 1,
  });
  const client = await clientCa.issue({
    commonName: "bench",
    organizations: ["system:masters"],
    usages: ["client"],
    validityDays: 1,
  });
  const serviceAccount = { ...(await generateSigningKey()), issuer: "https://kubernetes.default.svc" };
  const order: ServerOrder = { dataDir, tls, clientCaPem: clientCa.certPem, serviceAccount };
  return { order, credentials: { caPem: serverCa.certPem, certPem: client.certPem, keyPem: client.keyPem } };
}

function start(script: string, execArgv: string[]): ChildProcess {
  return fork(path.join(import.meta.dirname, script), { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

export function ask<Order, Report>(child: ChildProcess, order: Order): Promise<Report> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      child.off("message", onMessage).off("exit", onExit);
      end();
    };
    const onMessage = (report: unknown): void => settle(() => resolve(report as Report));
    const onExit = (code: number | null): void => settle(() => reject(new Error(`a bench process ended with ${code}`)));
    child.on("message", onMessage).on("exit", onExit);
    child.send(order as object);
  });
}

async function putsPerSecond(store: EtcdStore, durationMs: number): Promise<number> {
  const value = new Uint8Array(VALUE_BYTES).fill(120);
  const startMs = performance.now();
  let count = 0;
  const write = async (): Promise<void> => {
    while (performance.now() - startMs < durationMs) {
      const key = Buffer.from(`/registry/configmaps/bench/${String(count++).padStart(20, "0")}`);
      await store.txn({ compare: [], success: [{ type: "put", key, value }] });
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, write));
  return (count * 1000) / (performance.now() - startMs);
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!;
}
