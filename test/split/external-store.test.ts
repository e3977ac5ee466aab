import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authority } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { startEtcd } from "../kit/etcd.ts";
import { EtcdCluster } from "../kit/etcd-cluster.ts";
import { eventually } from "../kit/eventually.ts";
import { keelson, TestCluster } from "../kit/keelson.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";

const reason = whyNotPrograms(["haproxy", "nats-server", "etcd"]);

describe.skipIf(skipping("split/external-store", reason))("the split layout on an etcd of somebody else's", () => {
  let folder = "";
  let etcd: EtcdCluster;
  let tlsFlags: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "keelson-external-store-"));
    const authority = await Authority.create("etcd", realClock, realRandom);
    const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"], validityDays: 1 };
    const server = await authority.issue({ ...names, commonName: "etcd", usages: ["server", "client"] });
    const client = await authority.issue({ commonName: "keelson", usages: ["client"], validityDays: 1 });
    etcd = await EtcdCluster.start(3, { tls: { caPem: authority.certPem, server, client } });
    const files = { cert: client.certPem, key: client.keyPem, ca: authority.certPem };
    tlsFlags = Object.entries(files).map(([name, pem]) => {
      writeFileSync(path.join(folder, `${name}.pem`), pem);
      return `--store-${name}=${path.join(folder, `${name}.pem`)}`;
    });
  });
  afterAll(async () => {
    await etcd?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("three members with TLS: runs, survives the loss of one and says which, and keeps its objects over a restart", async () => {
    const endpoints = etcd.members.map((member) => member.address);
    const store = `--store=etcd://${endpoints.join(",")}`;
    await using cluster = await TestCluster.up(["--layout=split", "--runtime=simulated", store, ...tlsFlags]);
    const row = async () => (await cluster.status()).roles.find((role) => role.name === "store");
    expect(await row()).toEqual({
      name: "store",
      instance: "store",
      pid: null,
      health: "ok",
      leader: false,
      detail: "",
    });
    await cluster.kubectl.ok(["run", "web", "--image=anything"]);
    await eventually(async () => expect(await cluster.kubectl.ok(["get", "pod", "web"])).toContain("Running"));
    await etcd.members[0]!.kill();
    expect(await row()).toMatchObject({ health: "ok", detail: `no answer from ${endpoints[0]}` });
    await eventually(() => cluster.kubectl.ok(["create", "configmap", "with-two", "--from-literal=a=b"]));
    expect((await keelson(["down", `--data-dir=${cluster.dataDir}`])).code).toBe(0);
    etcd.members[0]!.start();
    // The record knows the rest.
    await cluster.upAgain();
    expect(await cluster.kubectl.ok(["get", "configmap", "with-two", "-o", "name"])).toBe("configmap/with-two\n");
    const other = await keelson(["up", `--data-dir=${cluster.dataDir}`, "--store=etcd://127.0.0.1:1", ...tlsFlags]);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("this cluster was made with etcd://") });
  });

  test("plain text on loopback, when asked for", async () => {
    const plain = await startEtcd();
    try {
      const flags = ["--layout=split", "--runtime=simulated", `--store=etcd://${plain.address}`, "--store-insecure"];
      await using cluster = await TestCluster.up(flags);
      expect(await cluster.kubectl.ok(["get", "nodes"])).toMatch(/\bReady\b/);
    } finally {
      await plain.stop();
    }
  });
});
