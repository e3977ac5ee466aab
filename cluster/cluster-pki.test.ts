import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Clock } from "../lib/core/clock.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { ClusterPki } from "./cluster-pki.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-pki-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function pkiAt(clock: Clock): ClusterPki {
  return new ClusterPki({ clock, random: realRandom }, folder);
}

test("an identity is made once, kept over restarts, and its key is private", async () => {
  const request = { commonName: "kubernetes-admin", organizations: ["system:masters"], usages: ["client" as const] };
  const first = await pkiAt(realClock).identity("admin", "client", request);
  const again = await pkiAt(realClock).identity("admin", "client", request);
  expect(again).toEqual(first);
  expect(statSync(path.join(folder, "admin.key")).mode & 0o777).toBe(0o600);
  const authority = new X509Certificate(await pkiAt(realClock).authorityPem("client"));
  expect(new X509Certificate(first.certPem).verify(authority.publicKey)).toBe(true);
});

test("a new address or a nearly spent life makes a new certificate under the same authority", async () => {
  const request = { commonName: "api", usages: ["server" as const], ipAddresses: ["127.0.0.1"] };
  const first = await pkiAt(realClock).identity("api-server", "server", request);
  const moved = await pkiAt(realClock).identity("api-server", "server", {
    ...request,
    ipAddresses: ["127.0.0.1", "10.1.2.3"],
  });
  expect(moved.certPem).not.toBe(first.certPem);
  const later: Clock = { ...realClock, nowMs: () => realClock.nowMs() + 300 * 86_400_000 };
  const renewed = await pkiAt(later).identity("api-server", "server", { ...request, ipAddresses: ["10.1.2.3"] });
  expect(renewed.certPem).not.toBe(moved.certPem);
  const authority = new X509Certificate(await pkiAt(realClock).authorityPem("server"));
  expect(new X509Certificate(renewed.certPem).verify(authority.publicKey)).toBe(true);
});

test("service-account keys are kept", async () => {
  expect(await pkiAt(realClock).serviceAccountKeys()).toEqual(await pkiAt(realClock).serviceAccountKeys());
});
