import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { ServerReflectionDefinition } from "../../lib/gen/grpc/reflection/v1/reflection.ts";
import { Authority } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { EtcdStore, type EtcdStoreOptions } from "../../lib/store/etcd-store.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { eventually } from "../kit/eventually.ts";
import { keelson } from "../kit/keelson.ts";
import { type ServedStore, serveStore } from "./served-store.ts";

let dir: string;
let dataDir: string;
const running: ServedStore[] = [];

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "keelson-run-store-"));
  dataDir = path.join(dir, "data");
});
afterEach(async () => {
  for (const served of running.splice(0)) await served.stop("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

async function serve(flags: readonly string[]): Promise<ServedStore> {
  const served = await serveStore(flags);
  running.push(served);
  return served;
}

async function roundTrip(options: EtcdStoreOptions): Promise<string> {
  const store = new EtcdStore({ clock: realClock, log: silentLog }, options);
  try {
    const key = Buffer.from("k");
    await store.txn({ compare: [], success: [{ type: "put", key, value: Buffer.from("v") }] });
    return Buffer.from((await store.range({ key })).kvs[0]!.value).toString();
  } finally {
    await store.close();
  }
}

describe("keelson run store", () => {
  test("a second process on the same data directory is refused, also while the first is quiet", async () => {
    await serve([`--data-dir=${dataDir}`, "--insecure"]);
    const second = await keelson(["run", "store", `--data-dir=${dataDir}`, "--listen=127.0.0.1:0", "--insecure"]);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toContain(`${dataDir} is in use by another process`);
  });

  test("it tells by reflection what it serves", async () => {
    const { address } = await serve([`--data-dir=${dataDir}`, "--insecure"]);
    const channel = new GrpcChannel({ target: address });
    try {
      const calls = channel.client(ServerReflectionDefinition).serverReflectionInfo();
      await calls.write({ host: "", messageRequest: { $case: "listServices", value: "" } });
      const { value } = await calls[Symbol.asyncIterator]().next();
      const answer = value?.messageResponse;
      const services =
        answer?.$case === "listServicesResponse"
          ? answer.value.service.map((service: { name: string }) => service.name)
          : [];
      expect(services).toEqual(expect.arrayContaining(["etcdserverpb.KV", "grpc.health.v1.Health"]));
      calls.cancel();
    } finally {
      channel.close();
    }
  });

  test("a data directory of a newer version is refused", async () => {
    const first = await serve([`--data-dir=${dataDir}`, "--insecure"]);
    await first.stop();
    const file = new DatabaseSync(path.join(dataDir, "store.db"));
    file.exec("PRAGMA user_version = 99");
    file.close();
    const next = await keelson(["run", "store", `--data-dir=${dataDir}`, "--listen=127.0.0.1:0", "--insecure"]);
    expect(next.code).not.toBe(0);
    expect(next.stderr).toContain("was written by a newer Keelson (format 99; this one reads up to 1)");
  });

  test("a taken port is refused", async () => {
    const first = await serve([`--data-dir=${dataDir}`, "--insecure"]);
    const second = await keelson([
      "run",
      "store",
      `--data-dir=${path.join(dir, "other")}`,
      `--listen=${first.address}`,
      "--insecure",
    ]);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(/EADDRINUSE|in use/);
  });

  test("the data directory and the database are for the owner only", async () => {
    await serve([`--data-dir=${dataDir}`, "--insecure"]);
    expect(statSync(dataDir).mode & 0o077).toBe(0);
    expect(statSync(path.join(dataDir, "store.db")).mode & 0o077).toBe(0);
  });

  test("over a unix socket", async () => {
    const socket = `unix:${path.join(dir, "s.sock")}`;
    const served = await serveStore([`--data-dir=${dataDir}`, `--listen=${socket}`, "--insecure"]);
    running.push(served);
    expect(await roundTrip({ endpoints: [socket] })).toBe("v");
  });

  test("over TLS with client certificates, and not without", async () => {
    const authority = await Authority.create("store-ca", realClock, realRandom);
    const issue = (commonName: string, usage: "client" | "server") =>
      authority.issue({ commonName, ipAddresses: ["127.0.0.1"], usages: [usage], validityDays: 1 });
    const server = await issue("store", "server");
    const client = await issue("api-server", "client");
    const stranger = await (await Authority.create("other-ca", realClock, realRandom)).issue({
      commonName: "stranger",
      usages: ["client"],
      validityDays: 1,
    });
    const file = (name: string, pem: string) => {
      writeFileSync(path.join(dir, name), pem);
      return path.join(dir, name);
    };
    const served = await serve([
      `--data-dir=${dataDir}`,
      `--cert=${file("cert.pem", server.certPem)}`,
      `--key=${file("key.pem", server.keyPem)}`,
      `--client-ca=${file("ca.pem", authority.certPem)}`,
    ]);
    const endpoints = [`https://${served.address}`];
    expect(await roundTrip({ endpoints, tls: { caPem: authority.certPem, ...client } })).toBe("v");
    for (const tls of [{ caPem: authority.certPem }, { caPem: authority.certPem, ...stranger }]) {
      await expect(roundTrip({ endpoints, tls })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    }
    await expect(roundTrip({ endpoints })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("F1: a watch over gRPC goes on without a gap when the store is killed and started again", async () => {
    const flags = [`--data-dir=${dataDir}`, "--insecure"];
    const first = await serve(flags);
    const store = new EtcdStore({ clock: realClock, log: silentLog }, { endpoints: [first.address] });
    const put = (value: string) =>
      store.txn({ compare: [], success: [{ type: "put", key: Buffer.from("k"), value: Buffer.from(value) }] });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const batch of store.watch({ key: Buffer.from("k") })) {
        if (batch.type === "events") seen.push(...batch.events.map((event) => event.kv.modRevision));
      }
    })();
    // The watch starts after now: what comes before it is open does not count.
    await eventually(async () => {
      await put("opening");
      expect(seen.length).toBeGreaterThan(0);
    });
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20; i++) await put(`${round}-${i}`);
      await running.at(-1)!.stop("SIGKILL");
      await expect(put("lost")).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await serve([...flags, `--listen=${first.address}`]);
      await eventually(() => put("again"));
    }
    const { revision } = await put("last");
    await eventually(() => expect(seen.at(-1)).toBe(revision));
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => seen[0]! + i));
    await store.close();
    await reading;
  });

  test("clients fail over along a list of addresses", async () => {
    const first = await serve([`--data-dir=${dataDir}`, "--insecure"]);
    const second = await serve([`--data-dir=${path.join(dir, "second")}`, "--insecure"]);
    const store = new EtcdStore({ clock: realClock, log: silentLog }, { endpoints: [first.address, second.address] });
    const key = Buffer.from("k");
    const put = (value: string) =>
      store.txn({ compare: [], success: [{ type: "put", key, value: Buffer.from(value) }] });
    const watch = store.watch({ key })[Symbol.asyncIterator]();
    await watch.next();
    await put("on the first");
    expect(await watch.next()).toMatchObject({ value: { type: "events", revision: 2 } });
    await first.stop("SIGKILL");
    expect((await store.range({ key })).count).toBe(0);
    await put("on the second");
    await store.close();
  });
});

describe("flags that are refused before anything is changed", () => {
  const rows: [string, readonly string[], string][] = [
    [
      "no way to secure it is said",
      ["--listen=127.0.0.1:0"],
      "--identity is needed, or --cert and --key, or --insecure",
    ],
    ["plain text to the world", ["--listen=0.0.0.0:0", "--insecure"], "--insecure needs a loopback address"],
    ["a key that is not there", ["--listen=127.0.0.1:0", "--cert=/nowhere", "--key=/nowhere"], "--cert: ENOENT"],
    ["no address", ["--insecure"], "--listen is needed"],
    ["an unknown flag", ["--listen=127.0.0.1:0", "--insecure", "--colour"], "--colour"],
  ];
  for (const [what, flags, message] of rows) {
    test(what, async () => {
      const result = await keelson(["run", "store", `--data-dir=${dataDir}`, ...flags]);
      expect(result.code).toBe(2);
      expect(result.stderr).toContain(message);
      expect(() => statSync(dataDir)).toThrow();
    });
  }

  test("restore: no snapshot, a damaged one, a directory that is not empty", async () => {
    const junk = path.join(dir, "junk");
    writeFileSync(junk, "not a snapshot");
    const restore = (file: string, target = dataDir) => keelson(["store", "restore", file, `--data-dir=${target}`]);
    expect((await restore(path.join(dir, "missing"))).stderr).toContain("ENOENT");
    expect((await restore(junk)).stderr).toContain("it does not end with a checksum");
    writeFileSync(junk, Buffer.alloc(4096 + 32, 1));
    expect((await restore(junk)).stderr).toContain("its checksum does not match");
    expect((await restore(junk, dir)).stderr).toContain("is not empty");
  });
});
