import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import path from "node:path";
import { ended } from "../test/kit/ended.ts";
import { ask, identities } from "./api-create.ts";
import type { ServerOrder, ServerReport } from "./api-create-server.ts";

const WATCHERS = 500;
const SESSIONS = 10;
const WRITERS = 8;
const VALUE = "x".repeat(1_500);

/** Lists and watches as the watch cache serves them; there is no peer in the packages that are at hand. */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  const dir = mkdtempSync("/var/tmp/keelson-bench-read-");
  const execArgv = ["--disallow-code-generation-from-strings"];
  const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
  const server = fork(path.join(import.meta.dirname, "api-create-server.ts"), { execArgv, stdio: [...stdio] });
  try {
    const { order, credentials } = await identities(path.join(dir, "store"));
    const { port } = await ask<ServerOrder, ServerReport>(server, order);
    const { caPem: ca, certPem: cert, keyPem: key } = credentials;
    const sessions = Array.from({ length: SESSIONS }, () => connect(`https://127.0.0.1:${port}`, { ca, cert, key }));
    const objects = options.quick ? 4_000 : 20_000;
    await measureLists(print, sessions, objects);
    await measureWatches(print, sessions, options.quick ? 2_000 : 6_000);
    for (const session of sessions) session.destroy();
  } finally {
    await ended(server as ChildProcess);
    rmSync(dir, { recursive: true, force: true });
  }
}

const MAPS = "/api/v1/namespaces/default/configmaps";

async function measureLists(
  print: (line: string) => void,
  sessions: readonly ClientHttp2Session[],
  objects: number,
): Promise<void> {
  const idleBytes = await metric(sessions[0]!, "process_resident_memory_bytes");
  let next = 0;
  const write = async (session: ClientHttp2Session): Promise<void> => {
    while (next < objects) {
      const name = `list-${next++}`;
      await send(session, "POST", MAPS, `{"metadata":{"name":"${name}"},"data":{"value":"${VALUE}"}}`);
    }
  };
  await Promise.all(sessions.flatMap((session) => Array.from({ length: 6 }, () => write(session))));
  const loadedBytes = await metric(sessions[0]!, "process_resident_memory_bytes");
  print(`api-read/memory-per-object: limit ${((loadedBytes - idleBytes) / objects / 1024).toFixed(1)} kB`);
  const timesMs: number[] = [];
  let sizeBytes = 0;
  for (let round = 0; round < 5; round++) {
    const startMs = performance.now();
    sizeBytes = await send(sessions[0]!, "GET", MAPS);
    timesMs.push(performance.now() - startMs);
  }
  const [first, ...others] = timesMs as [number, ...number[]];
  const again = others.toSorted((left, right) => left - right)[1]!;
  const megabytes = (sizeBytes / 1e6).toFixed(0);
  print(
    `api-read/list-${objects}: limit ${(again / 1000).toFixed(2)} s (${megabytes} MB; the first one ${(first / 1000).toFixed(2)} s)`,
  );
  const startMs = performance.now();
  await send(sessions[0]!, "GET", `${MAPS}?labelSelector=none%3Dnone`);
  print(`api-read/list-nothing-of-${objects}: limit ${(performance.now() - startMs).toFixed(1)} ms`);
}

async function measureWatches(
  print: (line: string) => void,
  sessions: readonly ClientHttp2Session[],
  durationMs: number,
): Promise<void> {
  const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
  await send(sessions[0]!, "POST", leases, '{"metadata":{"name":"watched"},"spec":{"holderIdentity":"h"}}');
  let delivered = 0;
  const streams = Array.from({ length: WATCHERS }, (_, index) => {
    const stream = sessions[index % SESSIONS]!.request({ ":path": `${leases}?watch=1` });
    stream.on("data", (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) delivered++;
    });
    return stream;
  });
  while (delivered < WATCHERS) await new Promise((resolve) => setTimeout(resolve, 10));
  delivered = 0;
  const cpuBefore = await metric(sessions[0]!, "process_cpu_seconds_total");
  const startMs = performance.now();
  let written = 0;
  const write = async (session: ClientHttp2Session): Promise<void> => {
    while (performance.now() - startMs < durationMs) {
      const patch = `{"spec":{"leaseTransitions":${written++}}}`;
      await send(session, "PATCH", `${leases}/watched`, patch, "application/merge-patch+json");
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, index) => write(sessions[index]!)));
  const wroteMs = performance.now() - startMs;
  while (delivered < written * WATCHERS * 0.999) await new Promise((resolve) => setTimeout(resolve, 5));
  const lagMs = performance.now() - startMs - wroteMs;
  const seconds = (performance.now() - startMs) / 1000;
  const cpu = (await metric(sessions[0]!, "process_cpu_seconds_total")) - cpuBefore;
  const rate = (delivered / seconds).toFixed(0);
  print(
    `api-read/watch-${WATCHERS}: limit ${rate} events/s (${((cpu * 1e6) / delivered).toFixed(1)} µs of CPU each, ` +
      `${(written / seconds).toFixed(0)} writes/s, last event ${lagMs.toFixed(0)} ms after the last write)`,
  );
  for (const stream of streams) stream.destroy();
}

function send(
  session: ClientHttp2Session,
  method: string,
  target: string,
  body?: string,
  type = "application/json",
): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": method, ":path": target, "content-type": type });
    let sizeBytes = 0;
    stream.on("response", (headers) => {
      if (Number(headers[":status"]) >= 300)
        reject(new Error(`${method} ${target} was answered with ${headers[":status"]}`));
    });
    stream.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
    });
    stream.on("end", () => resolve(sizeBytes)).on("error", reject);
    stream.end(body);
  });
}

async function metric(session: ClientHttp2Session, name: string): Promise<number> {
  const stream = session.request({ ":path": "/metrics" });
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk as string;
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}
