import { afterEach, beforeAll, expect, test } from "vitest";
import type { KeyPair } from "../core/key-pair.ts";
import { silentLog } from "../core/log.ts";
import { SeededRandom } from "../core/seeded-random.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { HealthDefinition } from "../gen/grpc/health/v1/health.ts";
import { kindDescriptors } from "../gen/k8s/descriptors.ts";
import { type DescribeResponse, RoleDefinition } from "../gen/keelson/role/v1/role.ts";
import { Authority } from "../pki/authority.ts";
import { realClock } from "../process/real-clock.ts";
import { realRandom } from "../process/real-random.ts";
import { loadRegistry } from "../resource/registry.ts";
import { GrpcServer } from "../transport/grpc-server.ts";
import { healthService } from "../transport/health-service.ts";
import { ApiConnection } from "./api-connection.ts";

const registry = loadRegistry(kindDescriptors);
const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

let ca: Authority;
let serving: KeyPair;
let client: KeyPair;
beforeAll(async () => {
  ca = await Authority.create("ca", realClock, realRandom);
  serving = await ca.issue({ commonName: "s", dnsNames: ["kubernetes"], usages: ["server"], validityDays: 1 });
  client = await ca.issue({ commonName: "c", usages: ["client"], validityDays: 1 });
});

/** A server that tells its name, which can say that it is not ready, or say nothing at all. */
async function server(name: string) {
  const state = { ready: true, silent: false };
  const grpc = new GrpcServer({ log: silentLog }, { tls: { ...serving, clientCaPem: ca.certPem } });
  const silence = new Promise<never>(() => {});
  const isReady = async () => (state.silent ? await silence : state.ready);
  grpc.addService(HealthDefinition, healthService({ clock: realClock }, [], isReady));
  const answer = (): DescribeResponse => ({ role: "", instance: name, ready: true, leading: false, detail: "" });
  grpc.addService(RoleDefinition, { describe: () => (state.silent ? silence : Promise.resolve(answer())) });
  const port = await grpc.listen("127.0.0.1:0");
  undo.push(() => grpc.stop());
  return { state, address: `127.0.0.1:${port}`, stop: () => grpc.stop() };
}

function connect(addresses: readonly string[]) {
  const clock = new VirtualClock();
  const tls = { caPem: ca.certPem, ...client };
  const random = new SeededRandom(1);
  const connection = new ApiConnection({ registry, clock, random, log: silentLog }, { addresses, tls });
  undo.push(() => connection.stop());
  return { connection, clock, whoAnswers: () => connection.channel.client(RoleDefinition).describe({}) };
}

/** Moves time while the network does its part, until `probe` holds. */
async function until(clock: VirtualClock, probe: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await probe())) {
    await clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a server that is not there is passed over; one that goes away is replaced by another", async () => {
  const [a, b] = [await server("a"), await server("b")];
  const gone = await server("gone");
  await gone.stop();
  const { connection, clock, whoAnswers } = connect([gone.address, a.address, b.address]);
  await connection.start();
  await connection.whenReached();
  const first = (await whoAnswers()).instance;
  await (first === "a" ? a : b).stop();
  const second = first === "a" ? "b" : "a";
  await until(clock, async () => (await whoAnswers().catch(() => undefined))?.instance === second);
  await until(clock, () => connection.problem === "");
});

for (const [why, change] of [
  ["says that it is not ready", { ready: false }],
  ["does not answer", { silent: true }],
] as const) {
  test(`a server that ${why} is left for one that is ready, and open calls end`, { timeout: 30_000 }, async () => {
    const [a, b] = [await server("a"), await server("b")];
    const { connection, clock, whoAnswers } = connect([a.address, b.address]);
    await connection.start();
    await connection.whenReached();
    const first = (await whoAnswers()).instance;
    Object.assign((first === "a" ? a : b).state, change);
    const hanging = whoAnswers().catch((error: { code: string }) => error.code);
    await until(clock, async () => {
      const answer = await Promise.race([whoAnswers().catch(() => undefined), pause()]);
      return answer !== undefined && answer.instance !== first;
    });
    if ("silent" in change) expect(await hanging).toBe("UNAVAILABLE");
    await until(clock, () => connection.problem === "");
  });
}

test("with no server ready it stays where it is and says why", async () => {
  const [a, b] = [await server("a"), await server("b")];
  const { connection, clock } = connect([a.address, b.address]);
  a.state.ready = false;
  b.state.ready = false;
  await connection.start();
  await until(clock, () => connection.problem.includes("the api-server is not ready at"));
  a.state.ready = true;
  b.state.ready = true;
  await until(clock, () => connection.problem === "");
  await connection.whenReached();
});

/** A turn of the event loop in which the network may do something. */
function pause(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 20));
}
