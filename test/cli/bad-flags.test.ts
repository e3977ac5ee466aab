import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { KEELSON, keelson } from "../kit/keelson.ts";
import { runCommand } from "../kit/kubectl.ts";
import { skipping, whyNotLayout } from "../kit/requirements.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const EXTERNAL = ["--runtime=simulated", "--store=etcd://127.0.0.1:2379"];

/** Each line: flags, and what the error must say. Nothing may be made in the data folder. */
const REFUSED: readonly (readonly [name: string, flags: readonly string[], says: RegExp])[] = [
  ["an unknown flag", ["--frobnicate"], /--frobnicate/],
  ["an unknown runtime", ["--runtime=docker"], /--runtime must be one of containerd, simulated, not "docker"/],
  ["no nodes", ["--runtime=simulated", "--nodes=0"], /--nodes must be a whole number from 1 to 5000, not "0"/],
  ["a number of nodes that is none", ["--runtime=simulated", "--nodes=many"], /--nodes must be a whole number/],
  [
    "a port out of range",
    ["--runtime=simulated", "--api-port=70000"],
    /--api-port must be a whole number from 0 to 65535/,
  ],
  ["an empty kubeconfig path", ["--runtime=simulated", "--kubeconfig="], /--kubeconfig must not be empty/],
  ["a kubeconfig path that is a folder", ["--runtime=simulated", "--kubeconfig=/tmp"], /is a folder: name a file/],
  [
    "a kubeconfig path below a file",
    ["--runtime=simulated", "--kubeconfig=/dev/null/config"],
    /\/dev\/null is not a folder/,
  ],
  [
    "a kubeconfig path in a file system that takes no files",
    ["--runtime=simulated", "--kubeconfig=/proc/keelson/config"],
    /--kubeconfig \/proc\/keelson\/config cannot be written/,
  ],
  ["a stray word", ["now"], /unexpected argument "now"/],
  ["an unknown layout", ["--layout=both"], /--layout must be one of all-in-one, split, not "both"/],
  ["a store without the split layout", [...EXTERNAL, "--store-insecure"], /--store needs --layout=split/],
  ["a store without certificates", ["--layout=split", ...EXTERNAL], /--store needs --store-cert=FILE, or --store-ins/],
  [
    "a certificate that is not there",
    ["--layout=split", ...EXTERNAL, "--store-cert=/nonexistent"],
    /--store-cert: ENOENT/,
  ],
  [
    "plain text to a store on another machine",
    ["--layout=split", "--store=etcd://10.0.0.1:2379", "--store-insecure"],
    /--store-insecure needs an etcd on loopback, not 10\.0\.0\.1:2379/,
  ],
  [
    "a store that is no etcd",
    ["--layout=split", "--store=http://127.0.0.1:2379"],
    /--store must be etcd:\/\/HOST:PORT/,
  ],
  [
    "a store's address without a port",
    ["--layout=split", "--store=etcd://one"],
    /--store must be etcd:\/\/HOST:PORT.*, not "etcd:\/\/one"/,
  ],
  ["a store's file without a store", ["--store-ca=/etc/ca.crt"], /--store-ca goes with --store/],
];

for (const [name, flags, says] of REFUSED) {
  test(`up refuses ${name} before anything is changed`, async () => {
    const dataDir = path.join(folder, "data");
    const result = await keelson(["up", `--data-dir=${dataDir}`, ...flags]);
    expect(result.stderr).toMatch(says);
    expect(result.stderr).not.toContain("    at ");
    expect(result.code).toBe(2);
    expect(existsSync(dataDir)).toBe(false);
  });
}

test("up refuses a port that is taken before anything is changed", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as { port: number };
    const dataDir = path.join(folder, "data");
    const result = await keelson(["up", "--runtime=simulated", `--data-dir=${dataDir}`, `--api-port=${port}`]);
    expect(result.stderr).toContain(`--api-port ${port} is taken`);
    expect(result.code).toBe(2);
    expect(existsSync(dataDir)).toBe(false);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test("up refuses a data folder of a newer version and leaves it alone", async () => {
  writeFileSync(path.join(folder, "cluster.json"), JSON.stringify({ version: 99 }));
  const result = await keelson(["up", "--runtime=simulated", `--data-dir=${folder}`, "--api-port=0"]);
  expect(result.stderr).toContain("has data of version 99");
  expect(result.code).toBe(2);
  expect(readdirSync(folder)).toEqual(["cluster.json"]);
});

test("up refuses a data folder that is a file", async () => {
  const file = path.join(folder, "file");
  writeFileSync(file, "");
  const result = await keelson(["up", "--runtime=simulated", `--data-dir=${file}`]);
  expect(result.stderr).toContain("is not a folder");
  expect(result.code).toBe(2);
});

test("status, logs, kubeconfig and down say clearly that there is no cluster", async () => {
  const dataDir = `--data-dir=${path.join(folder, "none")}`;
  expect(await keelson(["status", dataDir])).toMatchObject({
    code: 3,
    stdout: expect.stringContaining("no cluster runs"),
  });
  expect(await keelson(["logs", dataDir])).toMatchObject({ code: 2, stderr: expect.stringContaining("has no log") });
  expect(await keelson(["kubeconfig", dataDir])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("keelson up"),
  });
  expect(await keelson(["down", dataDir])).toMatchObject({ code: 0, stdout: expect.stringContaining("no cluster at") });
});

test("store restore of a file that is none makes no data folder", async () => {
  const dataDir = path.join(folder, "deep", "data");
  const missing = await keelson(["store", "restore", path.join(folder, "none.db"), `--data-dir=${dataDir}`]);
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("none.db") });
  expect(readdirSync(folder)).toEqual([]);
});

test("a reader of our output that goes away is no reason for a stack", async () => {
  const result = await runCommand(["sh", "-c", '"$0" "$1" help | true', process.execPath, KEELSON]);
  expect(result.stderr).toBe("");
});

test("an unknown command and a missing role are named", async () => {
  expect(await keelson(["frob"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no command is called "frob"'),
  });
  expect(await keelson(["run"])).toMatchObject({ code: 2, stderr: expect.stringContaining("run needs a role") });
});

test("help lists every command and each explains itself", async () => {
  const help = await keelson(["help"]);
  expect(help.code).toBe(0);
  const commands = [...help.stdout.matchAll(/^ {2}(\w+) +\S/gm)].map((match) => match[1]!);
  expect(commands).toEqual([
    "up",
    "down",
    "status",
    "kubeconfig",
    "logs",
    "image",
    "convert",
    "store",
    "pki",
    "token",
    "node",
    "run",
    "version",
  ]);
  for (const command of commands) {
    const usage = await keelson([command, "--help"]);
    expect(usage.stdout).toContain(`keelson ${command}`);
  }
});

test.skipIf(skipping("cli/split-nodes", whyNotLayout("split")))(
  "up refuses more nodes than the split layout has processes for",
  async () => {
    const flags = ["--layout=split", "--runtime=simulated", "--nodes=17", `--data-dir=${path.join(folder, "data")}`];
    const result = await keelson(["up", ...flags]);
    expect(result.stderr).toContain("--nodes=17: in the split layout each node is a process, 16 at most");
    expect(result.code).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  },
);
