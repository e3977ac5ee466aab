import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EtcdCluster } from "../kit/etcd-cluster.ts";
import { eventually } from "../kit/eventually.ts";
import { freePorts } from "../kit/free-ports.ts";
import { keelson } from "../kit/keelson.ts";
import { Kubectl } from "../kit/kubectl.ts";
import { RoleProcess } from "../kit/role-process.ts";

const SOON = { timeoutMs: 60_000 };

let folder: string;
let cluster: EtcdCluster;
let started: RoleProcess[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-run-etcd-"));
  started = [];
  for (const out of ["pki", "other-pki"]) {
    const made = await keelson(["pki", `--out-dir=${path.join(folder, out)}`]);
    expect(made.stderr).toBe("");
    expect(made.code).toBe(0);
  }
  // Three machines' etcd would each have a certificate of this authority; on one machine one does.
  const pair = (name: string, role: string) => ({
    certPem: readFileSync(identityFile(role, `${name}.crt`), "utf8"),
    keyPem: readFileSync(identityFile(role, `${name}.key`), "utf8"),
  });
  const caPem = readFileSync(identityFile("store", "store-ca.crt"), "utf8");
  const tls = { caPem, server: pair("server", "store"), client: pair("store-client", "api-server") };
  cluster = await EtcdCluster.start(3, { tls });
});

afterAll(async () => {
  await Promise.all(started.map((process) => process.end("SIGKILL")));
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function identityFile(role: string, file: string): string {
  return path.join(folder, "pki", "identities", role, file);
}

async function apiServer(name: string, pki = "pki"): Promise<{ process: RoleProcess; port: number }> {
  const [port, grpcPort] = await freePorts(2);
  const process = new RoleProcess(name, folder, [
    "api-server",
    `--identity=${path.join(folder, pki, "identities", "api-server")}`,
    `--store=etcd://${cluster.endpoints}`,
    `--listen=127.0.0.1:${port}`,
    `--grpc-listen=127.0.0.1:${grpcPort}`,
  ]);
  process.start();
  started.push(process);
  return { process, port: port! };
}

function kubectl(port: number): Kubectl {
  const text = readFileSync(identityFile("admin", "kubeconfig"), "utf8");
  const file = path.join(folder, `kubeconfig-${port}`);
  writeFileSync(file, text.replace(/https:\/\/[^\s"]+/, `https://127.0.0.1:${port}`), { mode: 0o600 });
  return new Kubectl(file, path.join(folder, `cache-${port}`));
}

async function ready({ process }: { process: RoleProcess }): Promise<void> {
  await eventually(async () => {
    const { ready, detail } = await process.describe();
    expect(ready, detail).toBe(true);
  }, SOON);
}

test("two api-servers by their command on three members: kubectl works through each, and goes on without a member", async () => {
  const servers = [await apiServer("api-server-1"), await apiServer("api-server-2")] as const;
  for (const server of servers) await ready(server);
  const [one, two] = servers.map(({ port }) => kubectl(port)) as [Kubectl, Kubectl];
  await one.ok(["create", "configmap", "a", "--from-literal=k=v"]);
  expect(await two.ok(["get", "configmap", "a", "-o", "jsonpath={.data.k}"])).toBe("v");
  const leader = await cluster.leader();
  await leader.kill();
  await eventually(() => two.ok(["create", "configmap", "b"]), SOON);
  expect(await eventually(() => one.ok(["get", "configmap", "b", "-o", "name"]), SOON)).toBe("configmap/b\n");
  leader.start();
  await cluster.healthy();
  const { stdout } = await cluster.etcdctl(["get", "/registry/configmaps/default/", "--prefix", "--keys-only"]);
  expect(stdout).toBe("/registry/configmaps/default/a\n\n/registry/configmaps/default/b\n\n");
  for (const { process } of servers) {
    expect(process.running).toBe(true);
    expect(await process.end("SIGTERM")).toBe(0);
  }
});

test("an identity of another cluster: the api-server waits and says why", async () => {
  const { process } = await apiServer("stranger", "other-pki");
  await eventually(async () => {
    const { ready, detail } = await process.describe();
    expect(ready).toBe(false);
    expect(detail).toContain("waiting for the store at");
  }, SOON);
  await eventually(() => expect(process.log).toMatch(/certificate.*an endpoint of the store fails/), SOON);
  expect(process.log).not.toContain("PRIVATE KEY");
  expect(process.log).not.toMatch(/\n\s+at /);
  expect(await process.end("SIGTERM")).toBe(0);
});

test("an identity with a damaged key is refused in a sentence", async () => {
  const damaged = path.join(folder, "other-pki", "identities", "api-server", "store-client.key");
  writeFileSync(damaged, "garbage");
  const { process } = await apiServer("damaged", "other-pki");
  await eventually(() => expect(process.running).toBe(false), SOON);
  expect(process.exitCode).not.toBe(0);
  expect(process.log).toContain("store-client.key is no PEM key");
  expect(process.log).not.toMatch(/\n\s+at /);
});
