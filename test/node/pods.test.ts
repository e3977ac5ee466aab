import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Container, ContainerStatus, Pod, PodSpec } from "../../lib/gen/k8s/core/v1.ts";
import { eventually } from "../kit/eventually.ts";
import { keelson, TestCluster } from "../kit/keelson.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";

/** Pods as people write them, by real kubectl, in real containers. */
describe.skipIf(skipping("node: pods in containers", whyNotContainers()))("pods in containers", () => {
  let cluster: TestCluster;
  let image = "";
  beforeAll(async () => {
    cluster = await TestCluster.up(["--runtime=containerd"]);
    image = (await keelson(["image", "build-test", `--data-dir=${cluster.dataDir}`])).stdout.trim();
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  const apply = (...objects: object[]) =>
    cluster.kubectl.ok(["apply", "-f", "-"], { input: objects.map((each) => stringify(each)).join("---\n") });
  const shell = (script: string, more: Partial<Container> = {}): Container => ({
    name: "main",
    image,
    command: ["sh", "-c", script],
    ...more,
  });
  const create = (name: string, spec: PodSpec, annotations: Record<string, string> = {}) =>
    apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, annotations },
      spec: { terminationGracePeriodSeconds: 2, restartPolicy: "Never", ...spec },
    });
  const get = async (name: string): Promise<Pod> =>
    JSON.parse(await cluster.kubectl.ok(["get", "pod", name, "-o", "json"])) as Pod;
  const until = (name: string, holds: (pod: Pod) => unknown) =>
    eventually(async () => {
      const pod = await get(name);
      if (!holds(pod)) throw new Error(`not yet: ${JSON.stringify(pod.status)}`);
      return pod;
    });
  const finished = (name: string) =>
    until(name, (pod) => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed");
  const logs = (name: string, ...flags: string[]) => cluster.kubectl.ok(["logs", name, ...flags]);
  const main = (pod: Pod): ContainerStatus => pod.status!.containerStatuses!.find((each) => each.name === "main")!;
  const remove = (name: string) => cluster.kubectl.ok(["delete", "pod", name]);

  /** Runs a script to its end and answers what it printed. */
  const printed = async (name: string, script: string, more: Partial<Container> = {}, spec: Partial<PodSpec> = {}) => {
    await create(name, { containers: [shell(script, more)], ...spec });
    const pod = await finished(name);
    const text = await logs(name);
    await remove(name);
    return { pod, text };
  };

  test("environment: values, fields, resources, config, secrets, in order, with $(VAR)", async () => {
    await apply(
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "conf" }, data: { mode: "fast", B: "b" } },
      { apiVersion: "v1", kind: "Secret", metadata: { name: "sec" }, stringData: { pass: "s3cret" } },
    );
    const env: Container["env"] = [
      { name: "A", value: "a" },
      { name: "AB", value: "$(A)-$(P_B)-$$(A)-$(NONE)" },
      { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
      { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
      { name: "MODE", valueFrom: { configMapKeyRef: { name: "conf", key: "mode" } } },
      { name: "PASS", valueFrom: { secretKeyRef: { name: "sec", key: "pass" } } },
      { name: "MAYBE", valueFrom: { configMapKeyRef: { name: "none", key: "x", optional: true } } },
    ];
    const { pod, text } = await printed("env", 'env; echo "arg=$1"; echo "ip=$(hostname -i)"', {
      env,
      envFrom: [{ prefix: "P_", configMapRef: { name: "conf" } }],
      args: ["sh", "$(NAME)"],
      resources: { limits: { cpu: "250m", memory: "64Mi" } },
    });
    const lines = text.split("\n");
    expect(lines).toEqual(
      expect.arrayContaining(["A=a", "AB=a-b-$(A)-$(NONE)", "NAME=env", "NODE=node-1", "CPU=250", "MODE=fast"]),
    );
    expect(lines).toEqual(expect.arrayContaining(["PASS=s3cret", "P_mode=fast", "arg=env"]));
    expect(lines).toContain(`IP=${pod.status?.podIP}`);
    expect(lines).toContain(`ip=${pod.status?.podIP}`);
    expect(text).not.toContain("MAYBE");
  });

  test("volumes: shared folder, memory, config, secret, subPath, token, downward", async () => {
    const script = [
      "cat /from-init/word; cat /conf/mode; echo; cat /sec/pass; echo; cat /one; echo; cat /down/labels; echo",
      "mount | grep ' /mem ' | cut -d' ' -f1,5; ls /conf; echo deep > /sub/file; cat /whole/some/dir/file",
      "cd /var/run/secrets/kubernetes.io/serviceaccount; cat namespace; echo; wc -l < ca.crt; cut -d. -f1 token | wc -c",
      "touch /conf/x 2>&1; mount | grep ' /sec ' | cut -d' ' -f1",
    ].join("\n");
    await apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "volumes", labels: { tier: "front" } },
      spec: {
        restartPolicy: "Never",
        initContainers: [
          {
            name: "init",
            image,
            command: ["sh", "-c", "echo shared > /w/word"],
            volumeMounts: [{ name: "e", mountPath: "/w" }],
          },
        ],
        containers: [
          shell(script, {
            volumeMounts: [
              { name: "e", mountPath: "/from-init" },
              { name: "m", mountPath: "/mem" },
              { name: "c", mountPath: "/conf", readOnly: true },
              { name: "s", mountPath: "/sec" },
              { name: "c", mountPath: "/one", subPath: "mode" },
              { name: "e", mountPath: "/sub", subPath: "some/dir" },
              { name: "e", mountPath: "/whole" },
              { name: "d", mountPath: "/down" },
            ],
          }),
        ],
        volumes: [
          { name: "e", emptyDir: {} },
          { name: "m", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
          { name: "c", configMap: { name: "conf" } },
          { name: "s", secret: { secretName: "sec" } },
          { name: "d", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
        ],
      },
    });
    const pod = await finished("volumes");
    const lines = (await logs("volumes")).trimEnd().split("\n");
    expect(pod.status?.phase).toBe("Succeeded");
    expect(lines.slice(0, 5)).toEqual(["shared", "fast", "s3cret", "fast", 'tier="front"']);
    expect(lines.slice(5, 9)).toEqual(["tmpfs tmpfs", "B", "mode", "deep"]);
    expect(lines[9]).toBe("default");
    expect(Number(lines[10])).toBeGreaterThan(5);
    expect(Number(lines[11])).toBeGreaterThan(20);
    expect(lines[12]).toContain("Read-only file system");
    expect(lines[13]).toBe("tmpfs");
    await remove("volumes");
  });

  test("a ConfigMap that changes is seen in its volume, whole", async () => {
    await apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "live" }, data: { a: "1" } });
    const volumes = [{ name: "c", configMap: { name: "live" } }];
    const volumeMounts = [{ name: "c", mountPath: "/c" }];
    const script = "while :; do cat /c/a; echo; sleep 0.2; done";
    await create("live", { containers: [shell(script, { volumeMounts })], volumes });
    await until("live", (pod) => pod.status?.phase === "Running");
    await apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "live" }, data: { a: "2" } });
    // A change of the pod makes the agent look at it before its minute is over.
    await cluster.kubectl.ok(["annotate", "pod", "live", "look=again"]);
    await eventually(async () => expect((await logs("live", "--tail=1")).trim()).toBe("2"));
    const seen = new Set((await logs("live")).split("\n").filter((line) => line !== ""));
    expect([...seen]).toEqual(["1", "2"]);
    await remove("live");
  });

  test("resources reach the kernel", async () => {
    const script =
      "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || " +
      "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu.weight; cat /proc/self/oom_score_adj";
    const resources = { limits: { cpu: "500m", memory: "32Mi" }, requests: { cpu: "250m", memory: "32Mi" } };
    const { pod, text } = await printed("limits", script, { resources });
    const values = text.trim().split(/\s+/);
    expect(values.slice(0, 2)).toEqual([String(32 * 2 ** 20), "50000"]);
    expect(["256", "100000"]).toContain(values[2]);
    expect(Number(values.at(-1))).toBeGreaterThan(0);
    expect(pod.status?.qosClass).toBe("Burstable");
  });

  test("a container that takes more memory than it may is OOMKilled", async () => {
    const resources = { limits: { memory: "16Mi" } };
    const { pod } = await printed("oom", "tail /dev/zero", { resources });
    expect(main(pod).state?.terminated).toMatchObject({ reason: "OOMKilled", exitCode: 137 });
    expect(pod.status?.phase).toBe("Failed");
  });

  test("security: user, groups, capabilities, read-only root, no new privileges, seccomp", async () => {
    const script =
      "id; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; touch /x 2>&1; ls -ldn /data | cut -c1-10,15-";
    const securityContext: Container["securityContext"] = {
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    };
    const { text } = await printed(
      "secure",
      script,
      { securityContext, volumeMounts: [{ name: "e", mountPath: "/data" }] },
      {
        securityContext: { runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000, runAsNonRoot: true },
        volumes: [{ name: "e", emptyDir: {} }],
      },
    );
    expect(text).toMatch(/^uid=1000 gid=2000 groups=.*3000/);
    expect(text).toMatch(/CapEff:\s+0000000000000000/);
    expect(text).toMatch(/NoNewPrivs:\s+1/);
    expect(text).toMatch(/Seccomp:\s+2/);
    expect(text).toContain("Read-only file system");
    expect(text).toMatch(/drwxrwsrwx.* 3000 /);
  });

  test("an image that would run as root is not started with runAsNonRoot", async () => {
    await create("rootless", { containers: [shell("true", { securityContext: { runAsNonRoot: true } })] });
    const pod = await until("rootless", (each) => main(each)?.state?.waiting?.reason === "CreateContainerConfigError");
    expect(main(pod).state?.waiting?.message).toContain("container has runAsNonRoot and image will run as root");
    await remove("rootless");
  });

  test("what a container leaves behind: its message file, or its last lines after an error", async () => {
    const file = await printed("message", "echo all is well > /dev/termination-log; exit 1");
    expect(main(file.pod).state?.terminated).toMatchObject({ exitCode: 1, reason: "Error", message: "all is well\n" });
    const terminationMessagePolicy = "FallbackToLogsOnError";
    const last = await printed("fallback", "echo one; echo two; exit 3", { terminationMessagePolicy });
    expect(main(last.pod).state?.terminated).toMatchObject({ exitCode: 3, message: "one\ntwo\n" });
  });

  test("a crash loop: restarts are counted, the last run's log stays, back-off is told", async () => {
    await create("crash", { containers: [shell("cat /proc/sys/kernel/random/uuid; exit 4")], restartPolicy: "Always" });
    const pod = await until("crash", (each) => main(each)?.state?.waiting?.reason === "CrashLoopBackOff");
    expect(main(pod)).toMatchObject({ restartCount: 1, lastState: { terminated: { exitCode: 4, reason: "Error" } } });
    const current = await logs("crash");
    expect(current).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(await logs("crash", "--previous")).toBe(current);
    expect(await cluster.kubectl.ok(["describe", "pod", "crash"])).toContain(
      "Back-off restarting failed container main",
    );
    await remove("crash");
  });

  test("logs: followed to the end, by container, the last lines, since", async () => {
    const script = (word: string) => `for i in 1 2 3; do echo ${word} $i; sleep 0.3; done`;
    const other = { ...shell(script("other")), name: "other" };
    await create("talk", { containers: [shell(script("main")), other] });
    await until("talk", (pod) => pod.status?.phase === "Running");
    expect(await logs("talk", "-f", "-c", "main")).toBe("main 1\nmain 2\nmain 3\n");
    expect(await logs("talk", "-c", "other", "-f", "--tail=1")).toContain("other 3\n");
    await finished("talk");
    expect(await logs("talk", "-c", "main", "--tail=2")).toBe("main 2\nmain 3\n");
    expect(await logs("talk", "-c", "main", "--since=1h")).toBe("main 1\nmain 2\nmain 3\n");
    expect(await logs("talk", "-c", "main", "--timestamps", "--tail=1")).toMatch(/^\d{4}-.*Z main 3\n$/);
    await remove("talk");
  });

  test("deletion: hook first, SIGTERM, and the object goes when the container is gone", async () => {
    const script = "trap 'echo term; sleep 0.5; echo done; exit 0' TERM; echo up; while :; do sleep 0.1; done";
    const lifecycle = {
      postStart: { exec: { command: ["sh", "-c", "echo started > /proc/1/fd/1"] } },
      preStop: { exec: { command: ["sh", "-c", "echo hook > /proc/1/fd/1"] } },
    };
    await create("gentle", { containers: [shell(script, { lifecycle })], terminationGracePeriodSeconds: 20 });
    await until("gentle", (pod) => main(pod)?.ready === true);
    const following = logs("gentle", "-f");
    const startedMs = performance.now();
    await remove("gentle");
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    const lines = (await following).trim().split("\n");
    expect(lines.slice(0, 2).sort()).toEqual(["started", "up"]);
    expect(lines.slice(2)).toEqual(["hook", "term", "done"]);
    expect((await cluster.kubectl.run(["get", "pod", "gentle"])).stderr).toContain("NotFound");
  });

  test("probes: startup, readiness by HTTP, liveness by exec", async () => {
    const probe = { periodSeconds: 1, failureThreshold: 1 };
    await create("probed", {
      restartPolicy: "Always",
      containers: [
        {
          name: "main",
          image,
          ports: [{ name: "http", containerPort: 8080 }],
          startupProbe: { tcpSocket: { port: "http" }, periodSeconds: 1, failureThreshold: 30 },
          readinessProbe: { httpGet: { path: "/index.html", port: "http" }, ...probe },
          livenessProbe: { exec: { command: ["sh", "-c", "! test -e /tmp/dead"] }, ...probe },
          lifecycle: {
            postStart: {
              exec: {
                command: [
                  "sh",
                  "-c",
                  "(sleep 4; rm /dev/shm/www-8080/index.html; sleep 3; touch /tmp/dead) > /dev/null 2>&1 &",
                ],
              },
            },
          },
        },
      ],
    });
    await until("probed", (pod) => main(pod)?.ready === true && main(pod)?.started === true);
    await until("probed", (pod) => main(pod)?.ready === false && main(pod)?.state?.running !== undefined);
    await until("probed", (pod) => main(pod)?.restartCount === 1);
    const described = await cluster.kubectl.ok(["describe", "pod", "probed"]);
    expect(described).toContain("Readiness probe failed: HTTP probe failed with statuscode: 404");
    expect(described).toContain("Container main failed liveness probe, will be restarted");
    await remove("probed");
  });

  test("an image that nobody has: the reason comes soon, and the pod can go", async () => {
    await create("nowhere", { containers: [{ name: "main", image: "localhost:1/none:1" }] });
    const reasons = ["ErrImagePull", "ImagePullBackOff"];
    const pod = await until("nowhere", (each) => reasons.includes(main(each)?.state?.waiting?.reason ?? ""));
    expect(pod.status?.phase).toBe("Pending");
    await remove("nowhere");
  });

  test("the machine's own network, where a pod asks for it", async () => {
    const { pod, text } = await printed(
      "host",
      "hostname -i | tr ' ' '\\n'; ip -4 addr show eth0",
      {},
      { hostNetwork: true },
    );
    expect(pod.status?.podIP).toBe(pod.status?.hostIP);
    expect(text).toContain(pod.status!.hostIP!);
  });

  test("a log that grows is moved away, and whoever follows it loses no line", async () => {
    const script =
      "yes 0123456789012345678901234567890123456789 | head -n 200000; sleep 1; for i in $(seq 300); do echo end $i; sleep 0.1; done";
    await create("chatty", { containers: [shell(script)] });
    const pod = await until("chatty", (each) => each.status?.phase === "Running");
    const folder = path.join(cluster.dataDir, "nodes/node-1/logs", `default_chatty_${pod.metadata?.uid}`, "main");
    const following = cluster.kubectl.run(["logs", "chatty", "-f", "--tail=1"], { timeoutMs: 60_000 });
    await eventually(() =>
      expect(readdirSync(folder).sort()).toEqual(["0.log", expect.stringMatching(/^0\.log\.\d{8}-\d{6}$/)]),
    );
    await eventually(async () => expect(await logs("chatty", "--tail=1")).toMatch(/^end \d+\n$/));
    await eventually(async () => expect(await logs("chatty")).not.toContain("0123456789"));
    await remove("chatty");
    const ends = (await following).stdout.split("\n").filter((line) => line.startsWith("end "));
    expect(ends.length).toBeGreaterThan(10);
    expect(ends).toEqual(ends.map((_line, n) => `end ${n + 1}`));
    await eventually(() => expect(existsSync(path.dirname(folder))).toBe(false));
  });

  test("forced away: the object goes at once, the container after its grace", async () => {
    await create("forced", {
      containers: [shell("trap '' TERM; while :; do sleep 0.1; done")],
      terminationGracePeriodSeconds: 4,
    });
    const pod = await until("forced", (each) => each.status?.phase === "Running");
    const folder = path.join(cluster.dataDir, "nodes/node-1/pods", pod.metadata?.uid ?? "");
    expect(existsSync(folder)).toBe(true);
    await cluster.kubectl.ok(["delete", "pod", "forced", "--force", "--grace-period=0"]);
    expect((await cluster.kubectl.run(["get", "pod", "forced"])).stderr).toContain("NotFound");
    await eventually(() => expect(existsSync(folder)).toBe(false), { timeoutMs: 15_000 });
  });
});
