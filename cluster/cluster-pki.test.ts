import { X509Certificate } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Clock } from "../lib/core/clock.ts";
import { IdentityFolder } from "../lib/process/identity-folder.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { ClusterPki } from "./cluster-pki.ts";

let folder = "";
let written: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-pki-"));
  written = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const DAY_MS = 86_400_000;

function pkiAt(days = 0): ClusterPki {
  const clock: Clock = { ...realClock, nowMs: () => realClock.nowMs() + days * DAY_MS };
  return new ClusterPki({ clock, random: realRandom, wrote: (file) => written.push(file) }, folder);
}

const authorityFile = (name: string) => path.join(folder, "authorities", name);
const isSignedBy = (certPem: string, authorityPem: string) =>
  new X509Certificate(certPem).verify(new X509Certificate(authorityPem).publicKey);

test("every identity is whole, private, and signed by the authority of its purpose", async () => {
  const expected = {
    nats: "accounts.conf server-ca.crt server.crt server.key",
    store: "server.crt server.key store-ca.crt",
    "api-server":
      "bus-account.seed client-ca.crt front-proxy-ca.crt front-proxy-client.crt front-proxy-client.key kubelet-ca.crt " +
      "kubelet-client.crt kubelet-client.key server-ca.crt server.crt server.key service-account.key " +
      "service-account.pub store-ca.crt store-client.crt store-client.key",
    scheduler: "client.crt client.key server-ca.crt",
    "controller-manager":
      "client-ca.crt client-ca.key client.crt client.key kubelet-ca.crt kubelet-ca.key server-ca.crt",
    "node-worker.1": "client-ca.crt client.crt client.key server-ca.crt server.crt server.key",
  } as const;
  for (const [name, files] of Object.entries(expected)) {
    const place = await pkiAt().identityFolder(name as keyof typeof expected, ["10.1.2.3"]);
    expect(place).toBe(path.join(folder, "identities", name));
    expect(readdirSync(place).sort().join(" ")).toBe(files);
    expect(statSync(place).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(place)) {
      expect(statSync(path.join(place, file)).mode & 0o777, file).toBe(/\.(key|seed)$/.test(file) ? 0o600 : 0o644);
    }
  }
  const node = new IdentityFolder(path.join(folder, "identities", "node-worker.1"));
  expect(isSignedBy(node.keyPair("server").certPem, await pkiAt().authorityPem("kubelet"))).toBe(true);
  expect(isSignedBy(node.keyPair("client").certPem, node.authorityPem("client"))).toBe(true);
  const client = new X509Certificate(node.keyPair("client").certPem);
  expect(client.subject).toBe("O=system:nodes\nCN=system:node:worker.1");
  expect(client.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
  const serving = new X509Certificate(node.keyPair("server").certPem);
  expect(serving.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect([serving.checkHost("worker.1"), serving.checkIP("10.1.2.3")]).toEqual(["worker.1", "10.1.2.3"]);
});

test("what is whole is kept over restarts", async () => {
  await pkiAt().identityFolder("api-server", ["API.example", "fd00:0::1"]);
  await pkiAt().identityFolder("nats");
  written = [];
  await pkiAt().identityFolder("api-server", ["api.example", "fd00::0:1"]);
  await pkiAt().identityFolder("api-server");
  await pkiAt().identityFolder("nats");
  expect(written).toEqual([]);
});

test("a new address or a nearly spent life makes a new certificate, which keeps its earlier names", async () => {
  const first = await pkiAt().certificate("store", "server", ["10.1.2.3"]);
  const moved = await pkiAt().certificate("store", "server", ["store.example"]);
  expect(moved.certPem).not.toBe(first.certPem);
  expect((await pkiAt(200).certificate("store", "server")).certPem).toBe(moved.certPem);
  const renewed = await pkiAt(300).certificate("store", "server");
  expect(renewed.certPem).not.toBe(moved.certPem);
  const certificate = new X509Certificate(renewed.certPem);
  expect(certificate.checkIP("10.1.2.3")).toBe("10.1.2.3");
  expect(certificate.checkHost("store.example")).toBe("store.example");
  expect(isSignedBy(renewed.certPem, await pkiAt().authorityPem("store"))).toBe(true);
});

test("what a crash left half-made is completed, and an authority's key stays", async () => {
  const pair = await pkiAt().certificate("scheduler", "client");
  const place = path.join(folder, "identities", "scheduler");
  const other = await pkiAt().certificate("admin", "client");
  writeFileSync(path.join(place, "client.key"), other.keyPem);
  const completed = await pkiAt().certificate("scheduler", "client");
  expect([completed.certPem === pair.certPem, completed.keyPem === other.keyPem]).toEqual([false, false]);
  const key = readFileSync(authorityFile("client-ca.key"), "utf8");
  rmSync(authorityFile("client-ca.crt"));
  expect(isSignedBy(completed.certPem, await pkiAt().authorityPem("client"))).toBe(true);
  expect(readFileSync(authorityFile("client-ca.key"), "utf8")).toBe(key);
  rmSync(authorityFile("bus-account.seed"), { force: true });
  const seed = readFileSync(path.join(await pkiAt().identityFolder("api-server"), "bus-account.seed"), "utf8");
  rmSync(authorityFile("bus-accounts.conf"));
  await pkiAt().identityFolder("nats");
  expect(readFileSync(authorityFile("bus-account.seed"), "utf8")).toBe(seed);
});

test("an authority whose key was taken away signs nothing and is not replaced", async () => {
  const admin = await pkiAt().certificate("admin", "client");
  renameSync(authorityFile("client-ca.key"), path.join(folder, "elsewhere"));
  expect(await pkiAt().certificate("admin", "client")).toEqual(admin);
  await expect(pkiAt().certificate("scheduler", "client")).rejects.toThrow(/client-ca\.key is missing.*put it back/);
});

test("files of the earlier layout are taken over, also after a move that was cut short", async () => {
  const admin = await pkiAt().certificate("admin", "client");
  const keys = await pkiAt().serviceAccountKeys();
  const authority = await pkiAt().authorityPem("server");
  for (const file of readdirSync(path.join(folder, "authorities"))) {
    if (!file.startsWith("client-ca")) renameSync(authorityFile(file), path.join(folder, file));
  }
  for (const end of ["crt", "key"]) {
    renameSync(path.join(folder, "identities", "admin", `client.${end}`), path.join(folder, `admin.${end}`));
  }
  expect(await pkiAt().certificate("admin", "client")).toEqual(admin);
  expect(await pkiAt().serviceAccountKeys()).toEqual(keys);
  expect(await pkiAt().authorityPem("server")).toBe(authority);
  expect(existsSync(path.join(folder, "server-ca.crt"))).toBe(false);
});
