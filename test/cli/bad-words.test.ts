import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keelson } from "../kit/keelson.ts";

const folder = mkdtempSync(path.join(tmpdir(), "keelson-words-"));
const pki = path.join(folder, "pki");
let before: string[] = [];
const everything = () => readdirSync(folder, { recursive: true }).map(String).sort();

beforeAll(async () => {
  expect(await keelson(["pki", `--out-dir=${pki}`, "--node=n"])).toMatchObject({ code: 0 });
  writeFileSync(path.join(folder, "file"), "");
  before = everything();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const id = (role: string, file: string) => path.join(pki, "identities", role, file);
const identity = (role: string) => `--identity=${path.join(pki, "identities", role)}`;
const ADMIN = `--kubeconfig=${id("admin", "kubeconfig")}`;
const API = "--api-server=127.0.0.1:1";
const TOKEN = "abcdef.0123456789abcdef";
const CA = `--ca-cert=${id("admin", "server-ca.crt")}`;
const join = (...flags: string[]) => ["node", "join", ...flags];
const AT = "--api-server=https://127.0.0.1:1";
const OUT = `--out-dir=${path.join(folder, "deep", "out")}`;
const store = (...flags: string[]) => ["run", "store", `--data-dir=${path.join(folder, "deep", "data")}`, ...flags];
const pair = (role: string) => [`--cert=${id(role, "server.crt")}`, `--key=${id(role, "server.key")}`];

/** Each line: words, and what the error says: what is wrong, where, and what to do. */
const REFUSED: readonly (readonly [words: readonly string[], says: RegExp])[] = [
  [["token"], /needs create, list or delete/],
  [["token", "frob"], /knows create, list and delete, not "frob"/],
  [["token", "create", "more", ADMIN], /unexpected argument "more"/],
  [["token", "create", "--ttl=5x", ADMIN], /--ttl must be a number and s, m, h or d, such as 24h, not "5x"/],
  [["token", "create", "--ttl=-1h", ADMIN], /--ttl must be a number/],
  [["token", "create", "--kubeconfig=/dev/null"], /\/dev\/null is no kubeconfig that "keelson" wrote/],
  [["token", "list", "--kubeconfig=/nonexistent"], /\/nonexistent does not exist: start a cluster with "keelson up"/],
  [["token", "delete", ADMIN], /needs the ID of a token/],
  [["token", "delete", "../../x", ADMIN], /the ID of a token is 6 lower case letters and digits/],
  [["node"], /needs join/],
  [["node", "leave"], /knows join, not "leave"/],
  [join(`--token=${TOKEN}`, CA, OUT), /--api-server is needed/],
  [join("--api-server=http://127.0.0.1:1", `--token=${TOKEN}`, CA, OUT), /--api-server must be https:\/\/HOST:PORT/],
  [join("--api-server=https://a:b@c", `--token=${TOKEN}`, CA, OUT), /--api-server must be https:\/\/HOST:PORT/],
  [join(AT, CA, OUT), /--token is needed/],
  [join(AT, "--token=geheim", CA, OUT), /--token must be 6 and 16 lower case letters/],
  [join(AT, "--token=@/nonexistent", CA, OUT), /--token: ENOENT/],
  [join(AT, `--token=${TOKEN}`, OUT), /either --ca-cert-hash or --ca-cert is needed/],
  [join(AT, `--token=${TOKEN}`, "--ca-cert-hash=sha256:12", OUT), /--ca-cert-hash must be sha256: and 64 hex/],
  [join(AT, `--token=${TOKEN}`, `--ca-cert=${folder}/file`, OUT), /--ca-cert: .*file holds no certificate/],
  [join(AT, `--token=${TOKEN}`, CA), /--out-dir is needed/],
  [join(AT, `--token=${TOKEN}`, CA, `--out-dir=${folder}/file/x`), /--out-dir=.*file is not a folder/],
  [join(AT, `--token=${TOKEN}`, CA, "--out-dir=/proc/keelson/x"), /--out-dir=.* cannot be made or written: ENOENT/],
  [join(AT, `--token=${TOKEN}`, CA, OUT, "--node-name=Not_Good"), /--node-name must be .*, not "Not_Good"/],
  [join(AT, `--token=${TOKEN}`, CA, OUT, "--timeout=0"), /--timeout must be a whole number from 1/],
  [["pki", "--out-dir=/proc/keelson/x"], /--out-dir=\/proc\/keelson\/x cannot be made or written: ENOENT/],
  [["up", "--runtime=simulated", "--api-port=0", "--data-dir=/proc/keelson/x"], /--data-dir .* cannot be made: ENOENT/],
  [["run", "store", "--data-dir=/proc/keelson/x", "--listen=127.0.0.1:0", "--insecure"], /ENOENT.*'\/proc\/keelson'/],
  [["run", "scheduler", identity("scheduler"), API, "--role-listen=unix:"], /--role-listen needs a path after unix:/],
  [
    ["run", "scheduler", identity("scheduler"), API, "--role-listen=unix:/nonexistent/s"],
    /--role-listen is in no folder: make \/nonexistent/,
  ],
  [
    ["run", "scheduler", identity("scheduler"), API, `--role-listen=unix:/tmp/${"long".repeat(30)}`],
    /--role-listen has a path of more than 107 bytes/,
  ],
  [["run", "scheduler", identity("scheduler"), API, "--nats=x"], /--nats must be HOST:PORT, not "x"/],
  [["run", "scheduler", identity("scheduler"), API, "--nats="], /--nats must not be empty/],
  [store("--listen=unix:/nonexistent/s", "--insecure"), /--listen is in no folder: make \/nonexistent/],
  [store("--listen=0.0.0.0:0", ...pair("store")), /--client-ca is needed: without it whoever reaches the store/],
  [
    store("--listen=127.0.0.1:0", `--cert=${folder}/file`, `--key=${folder}/file`),
    /--cert .*file and --key .*file are no PEM certificate and its key/,
  ],
  [
    store("--listen=127.0.0.1:0", `--cert=${id("store", "server.crt")}`, `--key=${id("nats", "server.key")}`),
    /are no PEM certificate and its key/,
  ],
];

for (const [words, says] of REFUSED) {
  test(`keelson ${words.join(" ").replaceAll(folder, "")} is refused`, async () => {
    const result = await keelson(words, { timeoutMs: 20_000 });
    expect(result.stderr).toMatch(says);
    // One line, without a stack, and without what was not to be seen.
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(result.stderr).not.toContain("geheim");
    expect(result.code).toBe(2);
    expect(everything()).toEqual(before);
    expect(existsSync("/proc/keelson")).toBe(false);
  });
}

test("a join that reaches nobody says so and leaves nothing", async () => {
  const result = await keelson(join(AT, `--token=${TOKEN}`, CA, OUT, "--node-name=n", "--timeout=5"));
  expect(result).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^keelson: n did not join: .*ECONNREFUSED.*\n$/),
  });
  expect(everything()).toEqual(before);
});
