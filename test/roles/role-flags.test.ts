import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { freePorts } from "../kit/free-ports.ts";
import { keelson } from "../kit/keelson.ts";
import { RoleProcess } from "../kit/role-process.ts";

const folder = mkdtempSync(path.join(tmpdir(), "keelson-roles-"));
const identities = path.join(folder, "pki", "identities");
beforeAll(async () => {
  const made = await keelson(["pki", `--out-dir=${path.join(folder, "pki")}`, "--node=n"]);
  expect(made.stderr).toBe("");
  writeFileSync(path.join(folder, "file"), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const API = "--api-server=127.0.0.1:1";
const STORE = "--store=etcd://127.0.0.1:1";
const LISTEN = ["--listen=127.0.0.1:0", "--grpc-listen=127.0.0.1:0"];

/** `ID` stands for `--identity=` the role's own, `DATA` for a `--data-dir` that does not exist. */
const REFUSED: readonly (readonly [role: string, flags: readonly string[], says: RegExp])[] = [
  ["scheduler", [API], /--identity is needed/],
  ["scheduler", ["--identity=/nowhere", API], /--identity \/nowhere is no folder: make one with "keelson pki"/],
  ["scheduler", [`--identity=${folder}`, API], /lacks client.crt: make it with "keelson pki"/],
  ["scheduler", ["ID"], /--api-server is needed/],
  ["scheduler", ["ID", "--api-server=127.0.0.1"], /--api-server must be HOST:PORT, not "127.0.0.1"/],
  ["scheduler", ["ID", "--api-server=a:1,,b:2"], /--api-server must be HOST:PORT, not ""/],
  ["scheduler", ["ID", "--api-server=a:0"], /a:0 needs the port to connect to/],
  ["scheduler", ["ID", "--api-server=a:70000"], /must be HOST:PORT, not "a:70000"/],
  ["scheduler", ["ID", API, "--log-level=loud"], /--log-level must be one of debug, info, warn, error, not "loud"/],
  ["scheduler", ["ID", API, "--role-listen=127.0.0.1:0"], /identity has no server.crt, .*; use unix:PATH/],
  ["scheduler", ["ID", API, "--metrics-listen=0.0.0.0:9"], /identity has no server.crt, .*; use a loopback address/],
  ["scheduler", ["ID", API, `--role-listen=unix:${folder}/file`], /EADDRINUSE|No address/],
  ["controller-manager", ["ID"], /--api-server is needed/],
  ["controller-manager", ["ID", API, "--leader"], /--leader/],
  ["api-server", ["ID", STORE, "--listen=127.0.0.1:0"], /--grpc-listen is needed/],
  ["api-server", ["ID", ...LISTEN], /--store is needed/],
  ["api-server", ["ID", ...LISTEN, "--store=127.0.0.1:2379"], /--store must be etcd:\/\/HOST:PORT/],
  ["api-server", ["ID", ...LISTEN, "--store=etcd://a"], /--store must be etcd:\/\/HOST:PORT/],
  ["api-server", ["ID", ...LISTEN, "--store=etcd://10.0.0.1:1", "--insecure"], /loopback address .*, not 10.0.0.1:1/],
  ["api-server", ["ID", ...LISTEN, "--store=unix:/run/s"], /a unix socket is plain text: say --insecure/],
  ["api-server", [`--identity=${folder}/pki`, STORE, ...LISTEN], /lacks server.crt/],
  ["store", ["DATA", "--listen=127.0.0.1:0"], /--identity is needed, or --cert and --key, or --insecure/],
  ["store", ["DATA", "--listen=127.0.0.1", "--insecure"], /--listen must be HOST:PORT, not "127.0.0.1"/],
  ["store", ["DATA", "--listen=0.0.0.0:0", "--insecure"], /--insecure needs a loopback address/],
  ["store", ["ID", "DATA", "--listen=127.0.0.1:0", "--insecure"], /--insecure goes without --identity/],
  ["store", ["ID", "DATA", "--listen=127.0.0.1:0", "--cert=x"], /--identity goes without --cert/],
  ["node-agent", ["ID", "DATA", API, "--runtime=simulated"], /--node-name is needed/],
  ["node-agent", ["ID", "DATA", API, "--node-name=N", "--runtime=simulated"], /--node-name must be .*, not "N"/],
  ["node-agent", ["ID", "DATA", API, "--node-name=m", "--runtime=simulated"], /is of node n, not of --node-name=m/],
  [
    "node-agent",
    ["ID", "DATA", "--api-server=no.such.invalid:1", "--node-name=n", "--runtime=simulated"],
    /give --node-ip/,
  ],
  ["node-agent", ["ID", "DATA", API, "--node-name=n"], /--runtime is needed: containerd or simulated/],
  ["node-agent", ["ID", "DATA", API, "--node-name=n", "--runtime=docker"], /--runtime must be one of/],
  ["node-agent", ["ID", "DATA", API, "--node-name=n", "--runtime=simulated", "--node-ip=x"], /--node-ip must be an IP/],
  [
    "node-agent",
    ["ID", "DATA", API, "--node-name=n", "--runtime=simulated", "--pod-cidr=10.0.0.0"],
    /--pod-cidr must be an IPv4 network/,
  ],
];

for (const [role, flags, says] of REFUSED) {
  test(`run ${role} ${flags.join(" ").replaceAll(folder, "")} is refused`, async () => {
    const identity = path.join(identities, role === "node-agent" ? "node-n" : role);
    const dataDir = path.join(folder, "data");
    const args = flags.map((flag) =>
      flag === "ID" ? `--identity=${identity}` : flag === "DATA" ? `--data-dir=${dataDir}` : flag,
    );
    const result = await keelson(["run", role, ...args], { timeoutMs: 20_000 });
    expect(result.stderr).toMatch(says);
    expect(result.stderr).not.toContain("    at ");
    expect(result.code).toBe(2);
    expect(existsSync(dataDir)).toBe(false);
  });
}

for (const [what, file, from, says] of [
  ["no certificate", "client.crt", "file", /client.crt is no PEM certificate/],
  ["no key", "client.key", "file", /client.key is no PEM key/],
  [
    "the key of another",
    "client.key",
    "pki/identities/controller-manager/client.key",
    /client.key is not the key of client.crt/,
  ],
] as const) {
  test(`an identity with ${what} in ${file} is refused`, async () => {
    const bad = path.join(folder, "bad");
    cpSync(path.join(identities, "scheduler"), bad, { recursive: true });
    cpSync(path.join(folder, from), path.join(bad, file));
    const result = await keelson(["run", "scheduler", `--identity=${bad}`, API], { timeoutMs: 20_000 });
    expect(result.stderr).toMatch(says);
    expect(result.stderr).not.toContain("    at ");
    expect(result.code).toBe(2);
  });
}

test("a role that waits is alive, not ready, and measures itself", async () => {
  const [port] = await freePorts(1);
  const args = [`--identity=${path.join(identities, "controller-manager")}`, API, `--metrics-listen=127.0.0.1:${port}`];
  const role = new RoleProcess("controller-manager", folder, ["controller-manager", ...args]);
  role.start();
  try {
    const get = async (where: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}${where}`);
      return { status: answer.status, text: await answer.text() };
    };
    await eventually(async () => expect(await get("/livez")).toEqual({ status: 200, text: "ok" }));
    await eventually(async () => expect((await get("/readyz")).text).toContain("no api-server answers at 127.0.0.1:1"));
    expect((await get("/readyz")).status).toBe(500);
    const { text } = await get("/metrics");
    expect(text).toContain('leader_election_master_status{name="kube-controller-manager"} 0');
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \S+$/m);
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect((await get("/other")).status).toBe(404);
    expect((await role.describe()).detail).toContain("no api-server answers");
  } finally {
    expect(await role.end("SIGTERM")).toBe(0);
  }
});
