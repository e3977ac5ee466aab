import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BusMember } from "../../lib/client/bus-member.ts";
import { silentLog } from "../../lib/core/log.ts";
import { NatsBus } from "../../lib/events/nats/nats-bus.ts";
import { Subjects } from "../../lib/events/subjects.ts";
import { PodState, SchedulerDefinition } from "../../lib/gen/keelson/scheduler/v1/scheduler.ts";
import { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { eventually } from "../kit/eventually.ts";
import { KEELSON, keelson, type TestClusterStatus } from "../kit/keelson.ts";
import { Kubectl, runCommand } from "../kit/kubectl.ts";
import { skipping, whyNotLayout } from "../kit/requirements.ts";

const CANARY = "cAnArY-7b1c-split";
const CANARY_TWO = "cAnArY-9d2e-split";

/** A cluster of real processes, started with a umask that forbids nobody anything. */
describe.skipIf(skipping("split-secrets", whyNotLayout("split")))("invariant 53: a split cluster", () => {
  const parent = mkdtempSync(path.join(tmpdir(), "keelson-split-secrets-"));
  const data = path.join(parent, "data");
  const kubectl = new Kubectl(path.join(data, "kubeconfig"), path.join(parent, "cache"));
  const heard: string[] = [];
  const heardSubjects: string[] = [];
  const ending: (() => unknown)[] = [];
  /** What must be nowhere. */
  const traces = new Map<string, string>();
  let status: TestClusterStatus;

  const at = (...parts: string[]) => path.join(data, ...parts);
  const cli = (...words: string[]) => keelson([...words, `--data-dir=${data}`]);
  const pidOf = (instance: string) => status.roles.find((role) => role.instance === instance)!.pid!;
  const commandLine = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");

  beforeAll(async () => {
    const up = ["up", "--layout=split", "--runtime=simulated", "--nodes=1", "--api-port=0", `--data-dir=${data}`];
    const command = ["sh", "-c", 'umask 0; exec "$0" "$@"', process.execPath, KEELSON, ...up];
    const started = await runCommand(command, { timeoutMs: 120_000 });
    expect(started.code, started.stdout + started.stderr).toBe(0);
    status = JSON.parse((await cli("status", "-o", "json")).stdout);
    for (const value of [CANARY, CANARY_TWO]) {
      traces.set(value, "the value of a Secret");
      traces.set(Buffer.from(value).toString("base64"), "the encoded value of a Secret");
    }
    await hearEverything();
    await useSecrets();
  });
  afterAll(async () => {
    for (const end of ending) await end();
    await cli("down", "--purge");
    rmSync(parent, { recursive: true, force: true });
  });

  /** As the administrator, who may hear more of the bus than anybody. */
  async function hearEverything(): Promise<void> {
    const identity = new IdentityFolder(at("pki", "identities", "admin"));
    const caPem = identity.authorityPem("server");
    const tls = { caPem, serverName: "kubernetes", ...identity.keyPair("client") };
    const channel = new GrpcChannel({ target: status.addresses["grpc"]!, tls });
    const member = new BusMember({ channel });
    const argv = commandLine(pidOf("nats"));
    const server = `127.0.0.1:${argv[argv.indexOf("--port") + 1]}`;
    const bus = new NatsBus(
      { clock: realClock, log: silentLog, credentials: member },
      { servers: [server], name: "test", tls: { caPem } },
    );
    ending.push(
      () => bus.stop(),
      () => channel.close(),
    );
    await bus.start();
    const { cluster, epoch } = (await member.membership())!;
    const message = (subject: string, bytes: Uint8Array) => {
      heardSubjects.push(subject);
      heard.push(Buffer.from(bytes).toString("latin1"));
    };
    const signal = new AbortController().signal;
    await bus.subscribe(new Subjects(cluster, epoch).history(), { message, gap: () => {} }, signal);
    expect(bus.status()).toBe("connected");
  }

  /** Good and bad uses of secret things, each of which somebody may want to say something about. */
  async function useSecrets(): Promise<void> {
    await kubectl.ok(["create", "secret", "generic", "kept", `--from-literal=password=${CANARY}`]);
    await kubectl.ok(["patch", "secret", "kept", "-p", `{"stringData":{"password":"${CANARY_TWO}"}}`]);
    const wrong = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"Not A Name"},"stringData":{"a":"${CANARY}"}}`;
    const refused = await kubectl.run(["create", "-f", "-"], { input: wrong });
    expect(refused.code).toBe(1);
    expect(refused.stderr).not.toContain(CANARY);
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "reader" },
      spec: {
        containers: [
          {
            name: "c",
            image: "i",
            env: [{ name: "P", valueFrom: { secretKeyRef: { name: "kept", key: "password" } } }],
          },
        ],
      },
    };
    await kubectl.ok(["create", "-f", "-"], { input: JSON.stringify(pod) });
    await eventually(async () => expect(await kubectl.ok(["get", "pod", "reader"])).toContain("Running"));
    const account = (await kubectl.ok(["create", "token", "default"])).trim();
    traces.set(account.split(".")[2]!, "the signature of an account's token");
    expect((await kubectl.run(["get", "pods", `--token=${account.slice(0, -3)}xyz`, "-v=0"])).code).not.toBe(2);
    const token = (await cli("token", "create", "--ttl=1h")).stdout.split("\n")[0]!;
    traces.set(token.split(".")[1]!, "the secret of a bootstrap token");
    const join = [
      "node",
      "join",
      `--api-server=${status.addresses["api"]}`,
      `--token=${token.slice(0, 7)}${"0".repeat(16)}`,
    ];
    const out = path.join(parent, "joined");
    const trust = `--ca-cert=${at("pki", "identities", "admin", "server-ca.crt")}`;
    expect((await keelson([...join, trust, `--out-dir=${out}`, "--node-name=x", "--timeout=5"])).code).toBe(1);
    expect(existsSync(out)).toBe(false);
    for (const file of files(at("pki"))) {
      if (!/\.(key|seed)$/.test(file)) continue;
      const lines = readFileSync(file, "utf8").split("\n");
      for (const line of lines)
        if (line.length > 16 && !line.startsWith("-----")) traces.set(line, path.basename(file));
    }
    expect(traces.size).toBeGreaterThan(30);
  }

  function files(folder: string): string[] {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
  }

  function found(text: string): string[] {
    return [...traces].filter(([trace]) => text.includes(trace)).map(([, what]) => what);
  }

  test("has no secret in any log, configuration or answer about itself", async () => {
    // Who asks for the Secret itself gets it, so that the search is known to find.
    expect(found(await kubectl.ok(["get", "secret", "kept", "-o", "yaml"]))).not.toEqual([]);
    const logs = [...files(at("logs")), at("keelson.log")];
    expect(logs.length).toBeGreaterThanOrEqual(11);
    const configuration = files(at("run"));
    expect(configuration.some((file) => readFileSync(file, "utf8").includes("balance"))).toBe(true);
    for (const file of [...logs, ...configuration])
      expect([file, found(readFileSync(file, "utf8"))]).toEqual([file, []]);
    const answers: Record<string, string> = {
      logs: (await cli("logs")).stdout,
      status: (await cli("status", "-o", "json")).stdout,
      metrics: await kubectl.ok(["get", "--raw", "/metrics"]),
      health: await kubectl.ok(["get", "--raw", "/readyz?verbose"]),
      events: await kubectl.ok(["get", "events", "-A", "-o", "yaml"]),
      pods: await kubectl.ok(["get", "pods", "-A", "-o", "yaml"]),
      requests: await kubectl.ok(["get", "csr", "-o", "yaml"]),
      describe: await kubectl.ok(["describe", "secret", "kept"]),
    };
    for (const [what, text] of Object.entries(answers)) {
      expect(text).not.toBe("");
      expect([what, found(text)]).toEqual([what, []]);
    }
  });

  test("has no secret in the command lines and environments of its processes", () => {
    const pids = [status.pid, ...status.roles.map(({ pid }) => pid)].filter((pid) => pid !== null);
    expect(pids.length).toBe(11);
    for (const pid of pids) {
      for (const file of ["cmdline", "environ"]) {
        const text = readFileSync(`/proc/${pid}/${file}`, "utf8");
        expect([commandLine(pid).join(" "), file, found(text)]).toEqual([expect.any(String), file, []]);
      }
    }
  });

  test("has no secret on its bus, though that they changed is told there", async () => {
    await eventually(() =>
      expect(heardSubjects.some((subject) => subject.endsWith(".secrets.default.kept"))).toBe(true),
    );
    await eventually(() =>
      expect(heardSubjects.some((subject) => subject.includes(".pods.default.reader"))).toBe(true),
    );
    expect(found(heard.join("\n"))).toEqual([]);
  });

  test("keeps others out of its folder, keys and sockets, whatever the umask", () => {
    const open: string[] = [];
    const entries = readdirSync(data, { recursive: true, withFileTypes: true });
    for (const entry of [{ parentPath: parent, name: "data" }, ...entries]) {
      const file = path.join(entry.parentPath, entry.name);
      const stat = lstatSync(file);
      if (stat.isSymbolicLink()) continue;
      const isSecret = stat.isDirectory() || stat.isSocket() || /\.(key|seed|db|db-wal)$|kubeconfig$/.test(entry.name);
      // What is no secret may be read inside a folder that nobody else enters, but never written.
      if ((stat.mode & (isSecret ? 0o077 : 0o022)) !== 0) {
        open.push(`${path.relative(data, file)} ${(stat.mode & 0o777).toString(8)}`);
      }
    }
    expect(open).toEqual([]);
  });

  test("its scheduler explains to its owner alone, and takes names as names", async () => {
    const leader = status.roles.find((role) => role.name === "scheduler" && role.leader)!;
    const channel = new GrpcChannel({ target: `unix://${at("run", `${leader.instance}.sock`)}` });
    const scheduler = channel.client(SchedulerDefinition);
    for (const name of ["__proto__", "constructor", "../../etc", "a\0b", "x".repeat(100_000)]) {
      const answer = await scheduler.explain({ namespace: "default", name });
      expect([name.slice(0, 20), answer.state]).toEqual([name.slice(0, 20), PodState.POD_STATE_UNSPECIFIED]);
    }
    await expect(scheduler.explain({ namespace: "default", name: "" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const large = scheduler.explain({ namespace: "x".repeat(5 * 2 ** 20), name: "a" });
    await expect(large).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect((await scheduler.explain({ namespace: "default", name: "reader" })).nodeName).not.toBe("");
    channel.close();
  });
});
