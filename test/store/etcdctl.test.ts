import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ended } from "../kit/ended.ts";
import { eventually } from "../kit/eventually.ts";
import { keelson } from "../kit/keelson.ts";
import { runCommand } from "../kit/kubectl.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { type ServedStore, serveStore } from "./served-store.ts";

describe.skipIf(skipping("etcdctl", whyNotPrograms(["etcdctl"])))("etcdctl against keelson run store", () => {
  let dir: string;
  let served: ServedStore;
  const followers: ChildProcess[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(path.join(tmpdir(), "keelson-etcdctl-"));
    served = await serveStore([`--data-dir=${path.join(dir, "data")}`, "--insecure"]);
  });
  afterEach(async () => {
    for (const follower of followers.splice(0)) await ended(follower);
  });
  afterAll(async () => {
    await served.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const run = (args: readonly string[], input?: string) =>
    runCommand(["etcdctl", `--endpoints=${served.address}`, ...args], {
      env: { ETCDCTL_API: "3" },
      timeoutMs: 90_000,
      ...(input === undefined ? {} : { input }),
    });
  const ok = async (args: readonly string[], input?: string) => {
    const result = await run(args, input);
    if (result.code !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const json = async (args: readonly string[]) => JSON.parse(await ok([...args, "-w", "json"])) as never;
  /** A command that goes on, such as `watch`; resolves what it has printed so far. */
  const follow = (args: readonly string[]) => {
    const child = spawn("etcdctl", [`--endpoints=${served.address}`, ...args], {
      env: { ...process.env, ETCDCTL_API: "3" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    followers.push(child);
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
    });
    return { output: () => output, type: (line: string) => child.stdin.write(`${line}\n`) };
  };
  const revision = async () => ((await json(["get", "nothing"])) as { header: { revision: number } }).header.revision;

  test("put, get, ranges, revisions, sort, limit", async () => {
    for (const [key, value] of [
      ["k1", "c"],
      ["k2", "b"],
      ["k3", "a"],
    ] as const) {
      expect(await ok(["put", key, value])).toBe("OK\n");
    }
    const before = await revision();
    expect(await ok(["put", "k1", "d", "--prev-kv"])).toBe("OK\nk1\nc\n");
    expect(await ok(["get", "k1"])).toBe("k1\nd\n");
    expect(await ok(["get", "k1", `--rev=${before}`])).toBe("k1\nc\n");
    expect(await ok(["get", "k", "--prefix", "--keys-only"])).toBe("k1\n\nk2\n\nk3\n\n");
    expect(await ok(["get", "k1", "k3", "--print-value-only"])).toBe("d\nb\n");
    expect(await ok(["get", "k2", "--from-key", "--limit=1"])).toBe("k2\nb\n");
    expect(await ok(["get", "k", "--prefix", "--sort-by=value", "--order=DESCEND", "--print-value-only"])).toBe(
      "d\nb\na\n",
    );
    expect(await ok(["get", "k", "--prefix", "--sort-by=modify", "--order=descend", "--limit=1"])).toBe("k1\nd\n");
    const late = await run(["get", "k1", "--rev=100000"]);
    expect(late.code).not.toBe(0);
    expect(late.stderr).toContain("required revision is a future revision");
  });

  test("del and txn", async () => {
    await ok(["put", "d1", "x"]);
    await ok(["put", "d2", "y"]);
    expect(await ok(["del", "d", "--prefix", "--prev-kv"])).toBe("2\nd1\nx\nd2\ny\n");
    await ok(["put", "t", "1"]);
    const txn = 'value("t") = "1"\n\nput t 2\nget t\n\nput t 3\n\n';
    expect(await ok(["txn"], txn)).toBe("SUCCESS\n\nOK\n\nt\n2\n");
    expect(await ok(["txn"], txn)).toBe("FAILURE\n\nOK\n");
    expect(await ok(["get", "t", "--print-value-only"])).toBe("3\n");
  });

  test("watch: history, prefix, prevKV, progress", async () => {
    const start = (await revision()) + 1;
    await ok(["put", "w/1", "a"]);
    await ok(["put", "w/1", "b"]);
    const watch = follow(["watch", "w/", "--prefix", `--rev=${start}`, "--prev-kv"]);
    await eventually(() => expect(watch.output()).toBe("PUT\nw/1\na\nPUT\nw/1\na\nw/1\nb\n"));
    await ok(["del", "w/1"]);
    await eventually(() => expect(watch.output()).toContain("DELETE\nw/1\nb\nw/1\n"));
    const asking = follow(["watch", "-i"]);
    asking.type("watch w/ --prefix");
    await eventually(async () => {
      asking.type("progress");
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(asking.output()).toContain(`progress notify: ${await revision()}`);
    });
  });

  test("a compacted watch says so", async () => {
    for (const value of ["1", "2", "3"]) await ok(["put", "c", value]);
    const now = await revision();
    expect(await ok(["compaction", String(now), "--physical"])).toBe(`compacted revision ${now}\n`);
    const watch = await run(["watch", "c", `--rev=${now - 1}`]);
    expect(watch.stderr).toContain("required revision has been compacted");
    const again = await run(["compaction", String(now)]);
    expect(again.stderr).toContain("required revision has been compacted");
  });

  test("lease: grant, time to live, keep alive, revoke, expiry", async () => {
    const grant = async (seconds: number) =>
      /lease (\S+) granted/.exec(await ok(["lease", "grant", String(seconds)]))![1]!;
    const long = await grant(100);
    await ok(["put", "l1", "x", `--lease=${long}`]);
    expect(await ok(["lease", "timetolive", long, "--keys"])).toMatch(
      new RegExp(`lease ${long} granted with TTL\\(100s\\), remaining\\((99|100)s\\), attached keys\\(\\[l1\\]\\)`),
    );
    expect(await ok(["lease", "list"])).toContain(long);
    expect(await ok(["lease", "keep-alive", "--once", long])).toBe(`lease ${long} keepalived with TTL(100)\n`);
    expect(await ok(["lease", "revoke", long])).toBe(`lease ${long} revoked\n`);
    expect(await ok(["get", "l1"])).toBe("");
    expect(await ok(["lease", "timetolive", long])).toBe(`lease ${long} already expired\n`);
    const short = await grant(1);
    await ok(["put", "l2", "x", `--lease=${short}`]);
    await eventually(async () => expect(await ok(["get", "l2"])).toBe(""));
    const unknown = await run(["put", "l3", "x", "--lease=123456"]);
    expect(unknown.stderr).toContain("requested lease not found");
  });

  test("endpoint, member, alarm, defrag, auth", async () => {
    expect((await run(["endpoint", "health"])).stderr).toContain("is healthy");
    const [status] = (await json(["endpoint", "status"])) as {
      Status: { header: { revision: number }; dbSize: number };
    }[];
    expect(status!.Status.header.revision).toBe(await revision());
    expect(status!.Status.dbSize).toBeGreaterThan(0);
    expect(await ok(["endpoint", "hashkv"])).toContain(served.address);
    expect(await ok(["member", "list"])).toContain(`http://${served.address}`);
    expect(await ok(["alarm", "list"])).toBe("");
    expect(await ok(["defrag"])).toContain("Finished defragmenting");
    const auth = await run(["auth", "enable"]);
    expect(auth.stderr).toContain("this store has no users and roles");
    expect((await run(["user", "list"])).stderr).toContain("Unimplemented");
  });

  test("invariants 7 and 54: snapshot save, restore: same state, higher revisions, old watches are told", async () => {
    await ok(["put", "s/1", "one"]);
    await ok(["put", "s/2", "two"]);
    await ok(["del", "s/2"]);
    const hash = async () => ((await json(["endpoint", "hashkv"])) as { HashKV: { hash: number } }[])[0]!.HashKV.hash;
    const before = await hash();
    const file = path.join(dir, "snapshot");
    await ok(["snapshot", "save", file]);
    expect(existsSync(file)).toBe(true);
    const saved = await revision();
    await ok(["put", "s/1", "lost by the restore"]);
    const target = path.join(dir, "restored");
    const restored = await keelson(["store", "restore", file, `--data-dir=${target}`]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    const original = served;
    served = await serveStore([`--data-dir=${target}`, "--insecure"]);
    try {
      expect(await hash()).toBe(before);
      expect(await revision()).toBeGreaterThan(saved + 1_000_000);
      expect(await ok(["get", "s/", "--prefix"])).toBe("s/1\none\n");
      expect((await run(["watch", "s/1", `--rev=${saved + 1}`])).stderr).toContain("has been compacted");
      const next = (await revision()) + 1;
      await ok(["put", "s/1", "again"]);
      expect(await revision()).toBe(next);
      await served.stop("SIGKILL");
      served = await serveStore([`--data-dir=${target}`, "--insecure"]);
      expect(await revision()).toBe(next);
    } finally {
      await served.stop();
      served = original;
    }
  });

  test("check perf", async () => {
    // Whether its limits are met depends on what else the machine does; bench/store.ts measures. Here: nothing is refused.
    const report = await run(["check", "perf", "--load=s"]);
    expect(report.stdout).toMatch(/(PASS|FAIL): Throughput (is|too low:) [1-9]\d* writes\/s/);
    expect(`${report.stdout}${report.stderr}`).not.toMatch(/error/i);
  });
});
