import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseLogLine } from "../logs/log-line.ts";
import {
  ANNOTATIONS,
  type ContainerSpec,
  type ContainerState,
  LABELS,
  type Runtime,
  RuntimeError,
  type SandboxSpec,
} from "./runtime.ts";

/** What a container of the suite does. */
export type Role =
  /** Runs until it is asked to end, then ends with 0 at once. */
  | "obedient"
  /** Does not hear SIGTERM. */
  | "stubborn"
  /** Prints `hello` and `world`, ends with 3. */
  | "prints";

export interface RuntimeUnderTest {
  readonly runtime: Runtime;
  readonly image: string;
  /** An image that cannot be had. */
  readonly missingImage: string;
  readonly logDirectory: string;
  /** Annotations of the sandbox and the command by which container `name` plays `role`. */
  play(name: string, role: Role): { annotations: Record<string, string>; command: string[] };
  /** Lets time pass, real or virtual, while `condition` does not hold. */
  until(condition: () => Promise<boolean>): Promise<void>;
  /** Milliseconds of the runtime's time since some moment. */
  elapsedMs(): number;
  /** Another client of the same runtime, as after a restart of the agent. */
  reopen(): Promise<Runtime>;
  stop(): Promise<void>;
}

/** What the agent relies on of a runtime, whichever it is. */
export function runtimeSuite(name: string, open: () => Promise<RuntimeUnderTest>): void {
  describe(`Runtime: ${name}`, () => {
    let under: RuntimeUnderTest;
    let runtime: Runtime;
    let uid: string;
    let serial = 0;
    beforeEach(async () => {
      under = await open();
      runtime = under.runtime;
      uid = `00000000-0000-4000-8000-${String(++serial).padStart(12, "0")}`;
    });
    afterEach(async () => {
      for (const { uid: each } of await runtime.listPods()) {
        const state = await runtime.readPod(each);
        for (const sandbox of state.sandboxes) await runtime.removeSandbox(sandbox.id);
      }
      expect(await runtime.listPods()).toEqual([]);
      await under.stop();
    });

    const podOf = (role: Role, attempt = 0) => {
      const sandbox = sandboxSpec(under, uid, attempt, under.play("web", role).annotations);
      return { sandbox, spec: containerSpec(under, uid, role, 0) };
    };
    const up = async (role: Role) => {
      const { sandbox, spec } = podOf(role);
      const sandboxId = await runtime.runSandbox(sandbox);
      const id = await runtime.createContainer(sandboxId, spec, sandbox);
      await runtime.startContainer(id);
      return { sandboxId, id, sandbox };
    };
    const read = async (): Promise<ContainerState> => (await runtime.readPod(uid)).containers[0]!;
    const untilExited = () => under.until(async () => (await read()).state === "exited");

    test("it is well and says which it is", async () => {
      expect(await runtime.health()).toMatchObject({ runtimeReady: true, networkReady: true });
      expect((await runtime.version()).name).toBe(runtime.name);
    });

    test("a sandbox gets an address, is listed, and gives the address back when stopped", async () => {
      const { sandbox } = podOf("obedient");
      const id = await runtime.runSandbox(sandbox);
      const { sandboxes } = await runtime.readPod(uid);
      expect(sandboxes).toHaveLength(1);
      expect(sandboxes[0]).toMatchObject({ id, attempt: 0, ready: true });
      expect(sandboxes[0]?.ips[0]).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      expect(sandboxes[0]?.labels).toMatchObject(sandbox.labels);
      expect(await runtime.listPods()).toEqual([{ uid, name: "pod", namespace: "suite", alive: true }]);
      await runtime.stopSandbox(id);
      await runtime.stopSandbox(id);
      expect((await runtime.readPod(uid)).sandboxes[0]).toMatchObject({ ready: false, ips: [] });
    });

    test("invariant 48: a second sandbox or container of the same attempt is refused", async () => {
      const { sandboxId, sandbox } = await up("obedient");
      await expect(runtime.runSandbox(sandbox)).rejects.toBeInstanceOf(RuntimeError);
      const again = containerSpec(under, uid, "obedient", 0);
      await expect(runtime.createContainer(sandboxId, again, sandbox)).rejects.toBeInstanceOf(RuntimeError);
      const state = await runtime.readPod(uid);
      expect([state.sandboxes.length, state.containers.length]).toEqual([1, 1]);
    });

    test("a container is created, runs, and ends with its exit code", async () => {
      const { sandbox, spec } = podOf("prints");
      const sandboxId = await runtime.runSandbox(sandbox);
      const id = await runtime.createContainer(sandboxId, spec, sandbox);
      expect(await read()).toMatchObject({ id, sandboxId, name: "web", attempt: 0, state: "created", startedAtMs: 0 });
      await runtime.startContainer(id);
      await untilExited();
      const ended = await read();
      expect(ended).toMatchObject({ state: "exited", exitCode: 3, reason: "Error" });
      expect(ended.finishedAtMs).toBeGreaterThanOrEqual(ended.startedAtMs);
      expect(ended.startedAtMs).toBeGreaterThan(0);
      expect(ended.suspect).toBeUndefined();
    });

    test("labels and annotations of a container come back as they were given, also to another client", async () => {
      await up("obedient");
      const other = await under.reopen();
      const [container] = (await other.readPod(uid)).containers;
      expect(container?.labels).toMatchObject({ [LABELS.podUid]: uid, [LABELS.containerName]: "web" });
      expect(container?.annotations).toMatchObject({ [ANNOTATIONS.hash]: "12345678", [ANNOTATIONS.restartCount]: "0" });
      expect(container).toEqual(await read());
    });

    test("stopping asks first", async () => {
      const { id } = await up("obedient");
      const before = under.elapsedMs();
      await runtime.stopContainer(id, 30);
      expect(await read()).toMatchObject({ state: "exited", exitCode: 0, reason: "Completed" });
      expect(under.elapsedMs() - before).toBeLessThan(5_000);
    });

    test("invariant 47: who does not hear is killed when the grace is over, not before", async () => {
      const { id } = await up("stubborn");
      const before = under.elapsedMs();
      let stopped = false;
      const stopping = runtime.stopContainer(id, 2).then(() => {
        stopped = true;
      });
      await under.until(async () => under.elapsedMs() - before > 1_500);
      expect((await read()).state).toBe("running");
      await under.until(async () => stopped);
      await stopping;
      expect(await read()).toMatchObject({ state: "exited", exitCode: 137 });
      expect(under.elapsedMs() - before).toBeGreaterThanOrEqual(1_900);
    });

    test("stopping that is given up kills nobody; a shorter grace takes over", async () => {
      const { id } = await up("stubborn");
      const impatient = new AbortController();
      const first = runtime.stopContainer(id, 600, impatient.signal);
      const outcome = expect(first).rejects.toMatchObject({ name: "RuntimeError", code: "timeout" });
      impatient.abort();
      await outcome;
      expect((await read()).state).toBe("running");
      let stopped = false;
      const second = runtime.stopContainer(id, 1).then(() => {
        stopped = true;
      });
      await under.until(async () => stopped);
      await second;
      expect((await read()).state).toBe("exited");
    });

    test("stopping a sandbox ends what runs in it", async () => {
      const { sandboxId } = await up("obedient");
      await runtime.stopSandbox(sandboxId);
      await untilExited();
    });

    test("what is gone stays gone: stopping and removing again is success, starting is not-found", async () => {
      const { id, sandboxId } = await up("prints");
      await untilExited();
      await runtime.removeContainer(id);
      await runtime.removeContainer(id);
      await runtime.stopContainer(id, 1);
      await expect(runtime.startContainer(id)).rejects.toMatchObject({ code: "not-found" });
      await runtime.removeSandbox(sandboxId);
      await runtime.removeSandbox(sandboxId);
      expect(await runtime.readPod(uid)).toEqual({ sandboxes: [], containers: [] });
    });

    test("the log holds what was printed, line by line, in the CRI's format", async () => {
      await up("prints");
      await untilExited();
      const log = await runtime.openLog(await read());
      const text = Buffer.from((await log?.read(0, 10_000)) ?? []).toString("utf8");
      const lines = text.split("\n").filter((line) => line !== "");
      expect(lines.map((line) => parseLogLine(line)?.text)).toEqual(["hello", "world"]);
      expect(lines.map((line) => parseLogLine(line)?.stream)).toEqual(["stdout", "stdout"]);
      expect(await log?.sizeBytes()).toBe(Buffer.byteLength(text));
      await log?.close();
    });

    test("a command in a running container gives its exit code; in an ended one it fails", async () => {
      const { id } = await up("obedient");
      expect((await runtime.exec(id, ["true"], 5)).exitCode).toBe(0);
      await runtime.stopContainer(id, 1);
      await expect(runtime.exec(id, ["true"], 5)).rejects.toBeInstanceOf(RuntimeError);
    });

    test("changes are told", async () => {
      const told: string[] = [];
      const unwatch = runtime.watch((each) => told.push(each));
      await up("prints");
      await untilExited();
      await under.until(async () => told.includes(uid));
      unwatch();
      expect(new Set(told)).toEqual(new Set([uid]));
    });

    test("an image that is not here is not found, and one that cannot be had cannot be pulled", async () => {
      const signal = AbortSignal.timeout(30_000);
      expect(await runtime.findImage(under.missingImage)).toBeUndefined();
      await expect(runtime.pullImage(under.missingImage, undefined, signal)).rejects.toBeInstanceOf(RuntimeError);
      expect(await runtime.findImage(under.image)).toMatchObject({ tags: expect.arrayContaining([under.image]) });
      expect((await runtime.listImages()).length).toBeGreaterThan(0);
    });
  });
}

const PLAIN = {
  privileged: false,
  readOnlyRootFilesystem: false,
  noNewPrivileges: false,
  supplementalGroups: [],
  addCapabilities: [],
  dropCapabilities: [],
  seccomp: "unconfined" as const,
};

function sandboxSpec(
  under: RuntimeUnderTest,
  uid: string,
  attempt: number,
  annotations: Record<string, string>,
): SandboxSpec {
  return {
    name: "pod",
    namespace: "suite",
    uid,
    attempt,
    hostname: "pod",
    logDirectory: `${under.logDirectory}/suite_pod_${uid}`,
    dns: { servers: ["10.255.255.53"], searches: [], options: [] },
    portMappings: [],
    labels: { [LABELS.podName]: "pod", [LABELS.podNamespace]: "suite", [LABELS.podUid]: uid },
    annotations,
    cgroupParent: "",
    network: "pod",
    pid: "container",
    ipc: "pod",
    sysctls: {},
    security: PLAIN,
  };
}

function containerSpec(under: RuntimeUnderTest, uid: string, role: Role, attempt: number): ContainerSpec {
  const labels = { [LABELS.podName]: "pod", [LABELS.podNamespace]: "suite", [LABELS.podUid]: uid };
  return {
    name: "web",
    attempt,
    image: under.image,
    command: under.play("web", role).command,
    args: [],
    workingDir: "",
    env: [],
    mounts: [],
    labels: { ...labels, [LABELS.containerName]: "web" },
    annotations: { [ANNOTATIONS.hash]: "12345678", [ANNOTATIONS.restartCount]: String(attempt) },
    logPath: `web/${attempt}.log`,
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: { cpuShares: 2, cpuQuotaUs: 0, cpuPeriodUs: 0, memoryLimitBytes: 0, oomScoreAdj: 1_000 },
    security: PLAIN,
  };
}
