import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { MemoryApi } from "../../lib/client/testkit/memory-api.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import type { CertificateSigningRequest } from "../../lib/gen/k8s/certificates/v1.ts";
import { certificateSigningRequests } from "../../lib/gen/k8s/resources.ts";
import { Authority } from "../../lib/pki/authority.ts";
import { readSigningRequest } from "../../lib/pki/signing-request.ts";
import { CertificateRotation } from "./certificate-rotation.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LIFE_DAYS = 30;

/** A node with two certificates of thirty days, and a cluster whose answers the test gives. */
async function nodeWorld(first?: Partial<Record<"client" | "server", KeyPair>>) {
  const clock = new VirtualClock();
  const random = new SeededRandom(3);
  const api = new MemoryApi({ clock, random });
  const authority = await Authority.create("ca", clock, random);
  const issue = (ipAddresses: readonly string[] = ["10.0.0.1"]) =>
    authority.issue({ commonName: "system:node:n", ipAddresses, usages: ["client"], validityDays: LIFE_DAYS });
  const held = { client: first?.client ?? (await issue()), server: first?.server ?? (await issue()) };
  const renewed: string[] = [];
  const pairs = {
    keyPair: (name: "client" | "server") => held[name],
    replaceKeyPair(name: "client" | "server", pair: KeyPair) {
      held[name] = pair;
      renewed.push(`${name} written`);
    },
  };
  const rotation = new CertificateRotation(
    { api, clock, random, log: silentLog, pairs },
    { nodeName: "n", ipAddresses: ["10.0.0.1"], renewed: (name) => renewed.push(`${name} used`) },
  );
  const asked = async () => (await api.list(certificateSigningRequests)).items;
  const answer = async (
    status: (request: CertificateSigningRequest) => Promise<CertificateSigningRequest["status"]>,
  ) => {
    for (const request of await asked()) {
      if (request.status?.conditions !== undefined || request.status?.certificate !== undefined) continue;
      const given = (await status(request)) ?? {};
      await api.update(certificateSigningRequests, { ...request, status: given }, { subresource: "status" });
    }
  };
  const sign = () =>
    answer(async ({ spec }) => {
      const wanted = await readSigningRequest(Buffer.from(spec?.request ?? "", "base64").toString());
      const request = {
        commonName: wanted.commonNames[0]!,
        dnsNames: wanted.dnsNames,
        ipAddresses: wanted.ipAddresses,
      };
      const pem = await authority.sign({ ...request, usages: ["client"], validityDays: LIFE_DAYS }, wanted.publicKey);
      return { certificate: Buffer.from(pem).toString("base64") };
    });
  /**
   * Keys are made on threads of the runtime, which the virtual clock does not know: it must not run so far ahead of them
   * that requests end undecided.
   */
  const until = async (isSo: () => Promise<boolean> | boolean) => {
    while (!(await isSo())) {
      await clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { clock, rotation, held, renewed, asked, answer, sign, until, issue };
}

test("both certificates are renewed between 70 and 90 percent of their life, written before they are used", async () => {
  const { clock, rotation, held, renewed, asked, sign, until } = await nodeWorld();
  const startMs = clock.nowMs();
  const before = { ...held };
  await rotation.start();
  await clock.advance(0.7 * LIFE_DAYS * DAY_MS - HOUR_MS);
  expect(await asked()).toEqual([]);
  const seenMs = new Map<string, number>();
  for (let hours = 0; hours <= 0.2 * LIFE_DAYS * 24 + 1; hours++) {
    await clock.advance(HOUR_MS);
    await new Promise((resolve) => setTimeout(resolve, 0));
    for (const { spec } of await asked()) {
      const signer = spec?.signerName ?? "";
      if (!seenMs.has(signer)) seenMs.set(signer, clock.nowMs() - startMs);
    }
    await sign();
  }
  await until(() => renewed.length >= 4);
  await rotation.stop();
  expect([...seenMs.keys()].sort()).toEqual([
    "kubernetes.io/kube-apiserver-client-kubelet",
    "kubernetes.io/kubelet-serving",
  ]);
  expect(renewed.filter((one) => one.startsWith("client"))).toEqual(["client written", "client used"]);
  expect(renewed.filter((one) => one.startsWith("server"))).toEqual(["server written", "server used"]);
  expect(held.client.keyPem).not.toBe(before.client.keyPem);
  expect(new X509Certificate(held.client.certPem).subjectAltName).toBeUndefined();
  expect(new X509Certificate(held.server.certPem).subjectAltName).toBe("DNS:n, IP Address:10.0.0.1");
});

test("a serving certificate that nobody signed is replaced at once, and a refusal is tried again later", async () => {
  const clock = new VirtualClock();
  const own = await Authority.create("system:node:n", clock, new SeededRandom(4));
  const world = await nodeWorld({ server: own });
  await world.rotation.start();
  await world.until(async () => (await world.asked()).length === 1);
  const denied = [{ type: "Denied", status: "True" as const, message: "not yours" }];
  await world.answer(async () => ({ conditions: denied }));
  await world.until(async () => (await world.asked()).length === 2);
  expect(world.renewed).toEqual([]);
  await world.sign();
  await world.until(() => world.renewed.length > 0);
  expect(world.renewed).toEqual(["server written", "server used"]);
  await world.rotation.stop();
});

test("a serving certificate without the node's address is replaced at once, and never by another such one", async () => {
  const world = await nodeWorld();
  world.held.server = await world.issue(["10.0.0.2"]);
  await world.rotation.start();
  await world.until(async () => (await world.asked()).length === 1);
  const strange = Buffer.from((await world.issue(["10.0.0.2"])).certPem).toString("base64");
  await world.answer(async () => ({ certificate: strange }));
  await world.until(async () => (await world.asked()).length === 2);
  expect(world.renewed).toEqual([]);
  await world.sign();
  await world.until(() => world.renewed.length > 0);
  expect(world.renewed).toEqual(["server written", "server used"]);
  await world.rotation.stop();
});
