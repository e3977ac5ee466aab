import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keelson } from "../kit/keelson.ts";
import { Identities } from "./identities.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-pki-command-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Path from `root` to the bytes of every file below it. */
function contents(root: string): Map<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((file) => [
      path.join(file.parentPath, file.name),
      readFileSync(path.join(file.parentPath, file.name), "utf8"),
    ]),
  );
}

test("says what was made and where, without a secret; again it keeps all of it and adds what is new", async () => {
  const identities = await Identities.make(["--node=node-1,10.0.0.7", "--api-server-name=lb.example"]);
  try {
    const { output } = identities;
    for (const name of ["nats", "store", "api-server", "scheduler", "controller-manager", "admin", "node-node-1"]) {
      expect(output).toContain(`${path.join(identities.folder, "identities", name)}: `);
    }
    expect(output).toContain(`${path.join(identities.folder, "authorities")}: bus-account.seed`);
    for (const secret of identities.secrets()) expect(output).not.toContain(secret);
    expect(JSON.parse(identities.of("admin").text("kubeconfig")).clusters[0].cluster.server).toBe(
      "https://lb.example:6443",
    );
    const before = contents(identities.folder);
    for (const file of before.keys()) {
      expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700);
      const isPublic = /\.(crt|pub|conf)$/.test(file);
      expect(statSync(file).mode & 0o777, file).toBe(isPublic ? 0o644 : 0o600);
    }
    const again = await keelson(["pki", `--out-dir=${identities.folder}`, "--node=node-2"]);
    expect(again.stdout).toContain(
      "node-node-2: client-ca.crt client.crt client.key server-ca.crt server.crt server.key",
    );
    expect(again.stdout.match(/: kept$/gm)).toHaveLength(7);
    const after = contents(identities.folder);
    for (const [file, text] of before) expect(after.get(file), file).toBe(text);
    const moved = await keelson(["pki", `--out-dir=${identities.folder}`, "--server=https://[fd00::1]:7443"]);
    expect(moved.stdout).toContain("admin: kubeconfig\n");
    expect(identities.of("admin").text("kubeconfig")).toContain('"https://[fd00::1]:7443"');
  } finally {
    identities.remove();
  }
});

test("what is damaged is named, and nothing of it printed", async () => {
  const identities = await Identities.make();
  try {
    const file = path.join(identities.folder, "authorities", "client-ca.key");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, `${text.slice(0, 60)}${"!".repeat(20)}${text.slice(80)}`);
    const result = await keelson(["pki", `--out-dir=${identities.folder}`, "--node=a"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/authorities\/client-ca\.crt and its key are damaged: restore them/);
    for (const line of text.split("\n").slice(1, -2)) expect(result.stdout + result.stderr).not.toContain(line);
  } finally {
    identities.remove();
  }
});

/** Flags beside `--out-dir` (FOLDER: a folder of the test's own), and what the error must say. */
const REFUSED: readonly (readonly [name: string, flags: readonly string[], says: RegExp])[] = [
  ["no folder", [], /--out-dir is needed/],
  ["an empty folder", ["--out-dir="], /--out-dir must not be empty/],
  ["a file", ["--out-dir=FOLDER/file"], /--out-dir=.*\/file is not a folder/],
  ["a folder below a file", ["--out-dir=FOLDER/file/pki"], /is not a folder/],
  [
    "a file system that takes no files",
    ["--out-dir=/proc/keelson"],
    /--out-dir=\/proc\/keelson cannot be made or written: ENOENT/,
  ],
  [
    "a name with a port",
    ["--out-dir=FOLDER/pki", "--api-server-name=a:6443"],
    /--api-server-name must be .* without a port, not "a:6443"/,
  ],
  ["a name in capitals", ["--out-dir=FOLDER/pki", "--nats-name=Nats"], /--nats-name must be a DNS name in lower case/],
  ["an empty name", ["--out-dir=FOLDER/pki", "--store-name=good", "--store-name="], /--store-name must not be empty/],
  [
    "a node that would leave the folder",
    ["--out-dir=FOLDER/pki", "--node=../../x"],
    /--node must begin with a node's name/,
  ],
  [
    "a node without a name",
    ["--out-dir=FOLDER/pki", "--node=,10.0.0.1"],
    /--node must begin with a node's name.*not ""/,
  ],
  ["a node with a bad address", ["--out-dir=FOLDER/pki", "--node=a,10.0.0.300,"], /--node must be a DNS name/],
  ["a server that is no URL", ["--out-dir=FOLDER/pki", "--server=lb:6443"], /--server must be https:\/\/HOST:PORT/],
  ["a server with a path", ["--out-dir=FOLDER/pki", "--server=https://a/b"], /--server must be https:/],
  ["a stray word", ["--out-dir=FOLDER/pki", "node-1"], /unexpected argument "node-1"/],
];

for (const [name, flags, says] of REFUSED) {
  test(`refuses ${name} before anything is made`, async () => {
    writeFileSync(path.join(folder, "file"), "mine");
    const result = await keelson(["pki", ...flags.map((flag) => flag.replace("FOLDER", folder))]);
    expect(result.stderr).toMatch(says);
    expect(result.stderr).not.toContain("    at ");
    expect(result.code).toBe(2);
    expect(existsSync(path.join(folder, "pki"))).toBe(false);
    expect(readFileSync(path.join(folder, "file"), "utf8")).toBe("mine");
  });
}
