import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import path from "node:path";
import { realClock } from "../lib/process/real-clock.ts";
import { eventually } from "../test/kit/eventually.ts";
import { TestCluster, type TestClusterStatus } from "../test/kit/keelson.ts";

type Role = TestClusterStatus["roles"][number];

const VICTIMS: readonly (readonly [string, (role: Role) => boolean])[] = [
  ["scheduler-leader", (role) => role.name === "scheduler" && role.leader],
  ["controller-manager-leader", (role) => role.name === "controller-manager" && role.leader],
  ["publisher", (role) => role.name === "api-server" && role.leader],
  ["other-api-server", (role) => role.name === "api-server" && !role.leader],
  ["store", (role) => role.name === "store"],
  ["nats", (role) => role.name === "nats"],
];
/** A new leader is there within this time (RELIABILITY F1); the same bounds everything else. */
const LIMIT_MS = 15_000;
const ATTEMPT_TIMEOUT_MS = 1_000;
const PAUSE_MS = 20;
/** Killed in the middle of quiet writing. */
const SETTLE_MS = 2_000;

/**
 * What kill -9 of each role of the split layout costs: the longest time without a successful write through the balancer, and
 * the time until a pod of a ReplicaSet made right after it has a node.
 */
export async function run(print: (line: string) => void, options: { quick: boolean }): Promise<void> {
  await using cluster = await TestCluster.up(["--layout=split", "--runtime=simulated", "--nodes=2"]);
  const api = new Api(path.join(cluster.dataDir, "kubeconfig"));
  const rounds = options.quick ? 1 : 3;
  for (const [name, isVictim] of VICTIMS) {
    const gaps: number[] = [];
    const placements: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await eventually(async () => {
        const status = await cluster.status();
        if (!status.ready || !status.roles.some(isVictim)) throw new Error(`no ${name} to kill`);
      });
      const victim = (await cluster.status()).roles.find(isVictim);
      if (victim?.pid == null) throw new Error(`the ${name} went by itself`);
      const writing = new Writing(api, `${name}-${round}`);
      await realClock.sleep(SETTLE_MS);
      process.kill(victim.pid, "SIGKILL");
      placements.push(await untilPlaced(api, `${name}-${round}`));
      await realClock.sleep(SETTLE_MS);
      gaps.push(await writing.stop());
    }
    print(
      `failover/${name}: limit ${LIMIT_MS} ms (without a write ${worst(gaps)} ms, until a new pod has a node ${worst(placements)} ms, worst of ${rounds})`,
    );
  }
  api.close();
}

/** Writes without an end, one at a time, and remembers the longest time between two that succeeded. */
class Writing {
  readonly #api: Api;
  readonly #name: string;
  readonly #running: Promise<void>;
  #isStopped = false;
  #longestMs = 0;

  constructor(api: Api, name: string) {
    this.#api = api;
    this.#name = name;
    this.#running = this.#run();
  }

  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#running;
    return this.#longestMs;
  }

  async #run(): Promise<void> {
    let lastMs = performance.now();
    for (let i = 0; !this.#isStopped; i++) {
      const name = `w-${this.#name}-${i}`;
      const code = await this.#api.send("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name } });
      if (code === 201) {
        this.#longestMs = Math.max(this.#longestMs, performance.now() - lastMs);
        lastMs = performance.now();
      }
      await realClock.sleep(PAUSE_MS);
    }
  }
}

async function untilPlaced(api: Api, name: string): Promise<number> {
  const startedMs = performance.now();
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  const path = "/apis/apps/v1/namespaces/default/replicasets";
  while ((await api.send("POST", path, { metadata: { name }, spec })) !== 201) await realClock.sleep(PAUSE_MS);
  for (;;) {
    const list = await api.get(`/api/v1/namespaces/default/pods?labelSelector=app%3D${name}`);
    const { items = [] } = list as { items?: { spec: { nodeName?: string } }[] };
    if (items.some(({ spec: { nodeName } }) => nodeName !== undefined)) return performance.now() - startedMs;
    await realClock.sleep(PAUSE_MS);
  }
}

/** What kubectl does: one address, the balancer's; a connection that broke is made again. */
class Api {
  readonly #agent: Agent;
  readonly #url: string;

  constructor(kubeconfig: string) {
    const { clusters, users } = JSON.parse(readFileSync(kubeconfig, "utf8"));
    const decode = (text: string): Buffer => Buffer.from(text, "base64");
    this.#url = clusters[0].cluster.server;
    this.#agent = new Agent({
      keepAlive: true,
      ca: decode(clusters[0].cluster["certificate-authority-data"]),
      cert: decode(users[0].user["client-certificate-data"]),
      key: decode(users[0].user["client-key-data"]),
    });
  }

  /** The answer's status; 0 when none came in time. */
  async send(method: string, path: string, body?: object): Promise<number> {
    return (await this.#call(method, path, body)).code;
  }

  async get(path: string): Promise<unknown> {
    const { code, text } = await this.#call("GET", path);
    return code === 200 ? JSON.parse(text) : {};
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(method: string, path: string, body?: object): Promise<{ code: number; text: string }> {
    return new Promise((resolve) => {
      const fail = () => resolve({ code: 0, text: "" });
      const options = { method, agent: this.#agent, headers: { "content-type": "application/json" } };
      const call = request(`${this.#url}${path}`, { ...options, timeout: ATTEMPT_TIMEOUT_MS }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => resolve({ code: response.statusCode ?? 0, text }));
        response.on("error", fail);
      });
      call.on("timeout", () => call.destroy());
      call.on("error", fail);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function worst(values: readonly number[]): string {
  return Math.max(...values).toFixed(0);
}
