import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../kit/eventually.ts";
import { type CommandResult, Kubectl, runCommand } from "../kit/kubectl.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { DockerDaemon } from "./docker-daemon.ts";

const ROOT = path.resolve(import.meta.dirname, "..", "..");
const PROJECT = `keelson-lab-test-${process.pid}`;
const KUBECONFIG = path.join(ROOT, ".cache", "lab", `${PROJECT}.kubeconfig`);
const SERVICE = "com.docker.compose.service";
const LAB_LIMIT_MS = 600_000;
const NODES = ["node-1", "node-2", "node-3"];
const CONTAINERS = 12;
/** Two schedulers, two controller-managers, three nodes, and at least the api-server that publishes. */
const ON_THE_BUS = 8;

function whyNot(): string {
  if (process.getuid?.() !== 0) return "needs root";
  return whyNotPrograms(["dockerd", "docker", "docker-compose", "debootstrap", "unshare", "nsenter", "ip", "iptables"]);
}

/** Every kind of thing that a Docker daemon of ours would leave on a machine, as far as it is Docker's. */
async function traces(): Promise<Record<string, string[]>> {
  const lines = async (command: string[], pattern: RegExp) =>
    (await runCommand(command)).stdout.split("\n").filter((line) => pattern.test(line));
  return {
    processes: await lines(["ps", "-eo", "args"], /keelson-docker-/),
    interfaces: await lines(["ip", "-brief", "link"], /^(docker|br-)/),
    rules: await lines(["iptables-save"], /DOCKER|FORWARD DROP/),
    mounts: await lines(["cat", "/proc/mounts"], /docker/),
    cgroups: await lines(["find", "/sys/fs/cgroup", "-name", "keelson-docker-*"], /./),
    settings: existsSync("/etc/docker") ? readdirSync("/etc/docker") : ["none"],
    folders: readdirSync(tmpdir()).filter((name) => name.startsWith("keelson-docker-")),
  };
}

describe.skipIf(skipping("lab", whyNot()))("npm run lab", () => {
  let daemon: DockerDaemon;
  let before: Record<string, string[]>;
  let kubectl: Kubectl;
  let up: CommandResult;

  function lab(verb: "up" | "down"): Promise<CommandResult> {
    return runCommand([...daemon.inside, process.execPath, path.join(import.meta.dirname, "lab.ts"), verb], {
      env: { DOCKER_HOST: daemon.host, COMPOSE_PROJECT_NAME: PROJECT },
      timeoutMs: LAB_LIMIT_MS,
    });
  }

  beforeAll(async () => {
    before = await traces();
    daemon = await DockerDaemon.start();
    // The daemon's namespace leads nowhere, so what must be fetched is fetched from outside; "lab" finds it made.
    const base = ["bash", path.join(import.meta.dirname, "base-image")];
    expect(await runCommand(base, { env: { DOCKER_HOST: daemon.host }, timeoutMs: LAB_LIMIT_MS })).toMatchObject({
      code: 0,
    });
    up = await lab("up");
    kubectl = new Kubectl(KUBECONFIG, path.join(ROOT, ".cache", "lab", "kubectl-cache"), daemon.inside);
  }, LAB_LIMIT_MS);

  afterAll(() => daemon?.stop());

  test("builds, starts, waits for the nodes and says how to go on", async () => {
    expect(up.code, `${up.stdout}${up.stderr}`).toBe(0);
    expect(up.stdout).toContain("lab: 3 nodes are Ready");
    expect(up.stdout).toContain(`export KUBECONFIG=${KUBECONFIG}`);
    const nodes = await kubectl.ok(["get", "nodes", "--no-headers"]);
    expect(nodes.match(/ Ready /g)).toHaveLength(NODES.length);
  });

  test("every container becomes healthy, and every role gets onto the bus", async () => {
    const all = ["ps", "--format", "{{.Status}}"];
    await eventually(async () => {
      const states = (await daemon.docker(all)).trim().split("\n");
      expect(states.filter((state) => state.includes("(healthy)"))).toHaveLength(CONTAINERS);
    });
    const get = "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET /connz HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    await eventually(async () => {
      const answer = await daemon.docker(["exec", await container("nats"), "bash", "-c", get]);
      const { connections } = JSON.parse(answer.slice(answer.indexOf("{"))) as { connections: { name: string }[] };
      expect(connections.length).toBeGreaterThanOrEqual(ON_THE_BUS);
      expect(connections.map((one) => one.name)).toEqual(expect.arrayContaining(NODES));
    });
  });

  test("no container has more rights than it needs", async () => {
    const ids = (await daemon.docker(["ps", "-q"])).trim().split("\n");
    const inspected = JSON.parse(await daemon.docker(["inspect", ...ids])) as {
      Config: { User: string; Labels: Record<string, string> };
      HostConfig: { Privileged: boolean; ReadonlyRootfs: boolean; CapDrop: string[]; CapAdd: string[] | null };
      NetworkSettings: { Ports: Record<string, { HostIp: string }[] | null> };
    }[];
    expect(inspected).toHaveLength(CONTAINERS);
    for (const { Config, HostConfig } of inspected) {
      expect(Config.User).toBe("1000:1000");
      expect(HostConfig).toMatchObject({ Privileged: false, ReadonlyRootfs: true, CapDrop: ["ALL"], CapAdd: null });
    }
    const published = inspected.flatMap(({ Config, NetworkSettings }) =>
      Object.values(NetworkSettings.Ports).flatMap((ports) =>
        (ports ?? []).map((port) => `${port.HostIp} ${Config.Labels[SERVICE]}`),
      ),
    );
    expect(published).toEqual(["127.0.0.1 balancer"]);
  });

  test("runs a Deployment on its nodes, scaled and deleted", async () => {
    await kubectl.ok(["create", "deployment", "web", "--image=example/web:1", "--replicas=6"]);
    await kubectl.ok(["rollout", "status", "deployment/web", "--timeout=60s"]);
    const nodes = await kubectl.ok(["get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}"]);
    expect([...new Set(nodes.split(" "))].sort()).toEqual(NODES);
    await kubectl.ok(["scale", "deployment/web", "--replicas=2"]);
    await eventually(async () => expect(await podNames()).toHaveLength(2));
    await kubectl.ok(["logs", "deployment/web"]);
    await kubectl.ok(["delete", "deployment", "web"]);
    await eventually(async () => expect(await podNames()).toEqual([]));
  });

  test("goes on when an api-server is killed, which comes back by itself", async () => {
    const killed = await container("api-server-1");
    await kubectl.ok(["create", "deployment", "on", "--image=example/web:1", "--replicas=3"]);
    await daemon.crash(killed);
    // A call that was under way may have to be repeated; those that come after find the other api-server.
    await eventually(() => kubectl.ok(["get", "nodes", "--request-timeout=5s"]));
    await kubectl.ok(["scale", "deployment/on", "--replicas=5"]);
    await kubectl.ok(["rollout", "status", "deployment/on", "--timeout=60s"]);
    await kubectl.ok(["delete", "deployment", "on"]);
    const state = ["inspect", "--format={{.State.Running}} {{.RestartCount}}", killed];
    await eventually(async () => expect((await daemon.docker(state)).trim()).toBe("true 1"));
  });

  test("lab:down takes everything away, and nothing stays of the daemon", async () => {
    expect(await lab("down")).toMatchObject({ code: 0 });
    expect(await daemon.docker(["ps", "-aq"])).toBe("");
    expect(await daemon.docker(["volume", "ls", "-q"])).toBe("");
    expect(await daemon.docker(["network", "ls", "-q", "--filter", "type=custom"])).toBe("");
    expect(existsSync(KUBECONFIG)).toBe(false);
    // Else it would be no wonder that nothing is found of it afterwards.
    expect((await traces())["processes"]).not.toEqual(before["processes"]);
    await daemon.stop();
    expect(await traces()).toEqual(before);
  });

  async function container(service: string): Promise<string> {
    return (await daemon.docker(["ps", "-q", "--filter", `label=${SERVICE}=${service}`])).trim();
  }

  async function podNames(): Promise<string[]> {
    return (await kubectl.ok(["get", "pods", "-o", "name"])).split("\n").filter((name) => name !== "");
  }
});
