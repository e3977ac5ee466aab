import { request } from "node:https";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { Authority } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { SimulatedNode } from "../testkit/simulated-node.ts";

interface Answer {
  readonly status: number;
  readonly body: string;
}

let node: SimulatedNode;
let kubeletCa: Authority;
let clientCa: Authority;
const clients: Record<string, KeyPair> = {};

beforeAll(async () => {
  kubeletCa = await Authority.create("kubelet-ca", realClock, realRandom);
  clientCa = await Authority.create("client-ca", realClock, realRandom);
  const client = (authority: Authority, commonName: string, organizations: string[]) =>
    authority.issue({ commonName, organizations, usages: ["client"], validityDays: 1 });
  clients["master"] = await client(clientCa, "somebody", ["system:masters"]);
  clients["apiserver"] = await client(clientCa, "kube-apiserver-kubelet-client", []);
  clients["user"] = await client(clientCa, "jane", ["developers"]);
  clients["stranger"] = await client(kubeletCa, "kube-apiserver-kubelet-client", ["system:masters"]);
  const serving = await kubeletCa.issue({
    commonName: "system:node:n1",
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validityDays: 1,
  });
  node = new SimulatedNode({ agent: { nodeIp: "127.0.0.1", serving: { ...serving, clientCaPem: clientCa.certPem } } });
  await node.start();
  const log = ["one", "two", "three"];
  await node.createPod("web", () => {}, { web: { log, tick: { everyMs: 1_000, line: "tick {n}" } } });
  await node.createPod("crash", () => {}, { web: [{ log: ["first"], runMs: 10, exitCode: 1 }, { log: ["second"] }] });
  await node.createPod("stuck", (pod) =>
    Object.assign(pod.spec!.containers![0]!, { image: "none", imagePullPolicy: "Never" }),
  );
  await node.until("web", (pod) => pod.status?.phase === "Running");
  await node.until("crash", (pod) => pod.status?.containerStatuses?.[0]?.restartCount === 1);
});
afterAll(() => node.agent.stop());

/** `client` names a certificate of the list above; empty for none. */
function get(path: string, client = "master", onData?: (text: string) => void): Promise<Answer> {
  const pair = clients[client];
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port: node.agent.kubeletPort,
      path,
      ca: kubeletCa.certPem,
      ...(pair === undefined ? {} : { cert: pair.certPem, key: pair.keyPem }),
    };
    const call = request(options, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
        onData?.(body);
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on("error", reject);
    call.end();
  });
}

const LOGS = "/containerLogs/default/web/web";

describe("who may ask", () => {
  test.each([
    ["no certificate", "", 401],
    ["a certificate of another authority", "stranger", 401],
    ["a user without the right", "user", 403],
    ["the api-server", "apiserver", 200],
    ["system:masters", "master", 200],
  ])("%s", async (_who, client, status) => {
    for (const path of ["/healthz", "/pods", "/metrics", LOGS]) {
      expect((await get(path, client)).status).toBe(status);
    }
  });
});

describe("what there is", () => {
  test("/pods lists the node's pods; /healthz is ok", async () => {
    const list = JSON.parse((await get("/pods")).body) as { items: { metadata: { name: string } }[] };
    expect(list.items.map((each) => each.metadata.name).sort()).toEqual(["crash", "stuck", "web"]);
    expect(await get("/healthz")).toEqual({ status: 200, body: "ok" });
    expect((await get("/metrics")).body).toContain('keelson_node_pods{phase="Running"} 2');
  });

  test.each([
    "/logs/../",
    "/containerLogs/default/../../pods",
    "/containerLogs/default/%2e%2e/web",
    "/containerLogs/default/web%2f../web",
    "/containerLogs/default/web/web%00",
    "/containerLogs/default/web/%zz",
    "/containerLogs/default/web",
    "/run/default/web/web",
    "//pods",
  ])("%s is not found", async (path) => {
    expect((await get(path)).status).toBe(404);
  });

  test("an unknown pod or container is 404, and says which", async () => {
    expect(await get("/containerLogs/default/none/web")).toEqual({ status: 404, body: 'pod "none" not found' });
    expect((await get("/containerLogs/default/web/none")).status).toBe(404);
  });
});

describe("logs", () => {
  beforeEach(() => node.clock.advance(0));

  test("all of it, the last lines, a number of bytes", async () => {
    expect((await get(LOGS)).body.split("\n").slice(0, 3)).toEqual(["one", "two", "three"]);
    const lines = (await get(LOGS)).body.trimEnd().split("\n");
    expect((await get(`${LOGS}?tailLines=2`)).body.trimEnd().split("\n")).toEqual(lines.slice(-2));
    expect((await get(`${LOGS}?tailLines=0`)).body).toBe("");
    expect((await get(`${LOGS}?limitBytes=5`)).body).toBe("one\nt");
  });

  test("with timestamps, and since a moment", async () => {
    const [first] = (await get(`${LOGS}?timestamps=true`)).body.split("\n");
    expect(first).toBe("2026-01-01T00:00:00.000000000Z one");
    await node.clock.advance(10_000);
    const recent = (await get(`${LOGS}?sinceSeconds=3`)).body.trimEnd().split("\n");
    expect(recent.length).toBeGreaterThanOrEqual(3);
    expect(recent.length).toBeLessThanOrEqual(4);
    const since = new Date(node.clock.nowMs() - 3_000).toISOString();
    expect((await get(`${LOGS}?sinceTime=${since}`)).body.trimEnd().split("\n")).toEqual(recent);
  });

  test("of the previous attempt", async () => {
    expect((await get("/containerLogs/default/crash/web?previous=true")).body).toBe("first\n");
    expect((await get("/containerLogs/default/crash/web")).body).toBe("second\n");
    expect(await get(`${LOGS}?previous=true`)).toEqual({
      status: 400,
      body: 'previous terminated container "web" in pod "web" not found',
    });
  });

  test("of a container that has not started: why not", async () => {
    const answer = await get("/containerLogs/default/stuck/web");
    expect(answer.status).toBe(400);
    expect(answer.body).toBe('container "web" in pod "stuck" is waiting to start: ErrImageNeverPull');
  });

  test.each(["tailLines=x", "tailLines=-1", "limitBytes=0", "sinceTime=yesterday", "sinceSeconds=1.5"])(
    "%s is refused",
    async (query) => {
      expect([400, 422]).toContain((await get(`${LOGS}?${query}`)).status);
    },
  );

  test("followed: new lines come as they are printed, until the container ends", async () => {
    await node.createPod("brief", () => {}, { web: { runMs: 3_500, tick: { everyMs: 1_000, line: "tick {n}" } } });
    await node.until("brief", (pod) => pod.status?.phase === "Running");
    let seen = "";
    const following = get("/containerLogs/default/brief/web?follow=true", "master", (text) => {
      seen = text;
    });
    for (let i = 0; i < 200 && !seen.includes("tick 1"); i++) {
      await node.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(seen).toContain("tick 1\n");
    expect(seen).not.toContain("tick 3\n");
    let isOver = false;
    void following.then(() => {
      isOver = true;
    });
    for (let i = 0; i < 500 && !isOver; i++) {
      await node.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await following).body).toBe("tick 1\ntick 2\ntick 3\n");
  });
});
