import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import { certificateSigningRequests } from "../../../lib/gen/k8s/resources.ts";
import { Authority } from "../../../lib/pki/authority.ts";
import { createSigningRequest, type SigningRequestSubject } from "../../../lib/pki/signing-request.ts";
import { isOver } from "../certificate-cleaner/cleaner-controller.ts";
import { managerWorld } from "../testkit/manager-world.ts";

const SIGNING = "certificatesigningrequest-signing-controller";
const DAY_MS = 86_400_000;

async function signed(subject: SigningRequestSubject, spec: object) {
  const world = managerWorld([SIGNING]);
  const authority = await Authority.create("ca", world.clock, world.random);
  const manager = world.open({ client: async () => authority });
  await manager.start();
  const request = Buffer.from((await createSigningRequest(subject)).requestPem).toString("base64");
  const conditions = [{ type: "Approved", status: "True" as const, lastUpdateTime: "2026-01-01T00:00:00Z" }];
  await world.api.create(certificateSigningRequests, {
    metadata: { name: "r" },
    spec: { request, signerName: "kubernetes.io/kube-apiserver-client-kubelet", usages: ["client auth"], ...spec },
    status: { conditions },
  } as CertificateSigningRequest);
  const settled = async () => {
    const now = await world.api.get(certificateSigningRequests, { name: "r" });
    const { status = {} } = now;
    return (status.certificate ?? "") !== "" || (status.conditions?.length ?? 0) > 1 ? now : undefined;
  };
  // Keys are made on threads of the runtime, which the virtual clock does not know.
  for (;;) {
    await world.clock.advance(10);
    await new Promise((resolve) => setImmediate(resolve));
    const now = await settled();
    if (now === undefined) continue;
    await manager.stop();
    return { object: now, nowMs: world.clock.nowMs(), authority };
  }
}

const node = { commonName: "system:node:n", organizations: ["system:nodes"] };

test("an approved request is signed for at most thirty days", async () => {
  const { object, nowMs, authority } = await signed(node, { expirationSeconds: 90 * 86_400 });
  const certificate = new X509Certificate(Buffer.from(object.status?.certificate ?? "", "base64"));
  expect(certificate.verify(new X509Certificate(authority.certPem).publicKey)).toBe(true);
  expect(certificate.subject).toBe("O=system:nodes\nCN=system:node:n");
  expect(certificate.validToDate.getTime() - nowMs).toBeLessThanOrEqual(30 * DAY_MS);
  expect(certificate.validToDate.getTime() - nowMs).toBeGreaterThan(29 * DAY_MS);
  expect(certificate.ca).toBe(false);
});

test("one that does not fit its signer fails, though it was approved", async () => {
  const { object } = await signed({ ...node, organizations: ["system:masters"] }, {});
  expect(object.status?.certificate ?? "").toBe("");
  expect(object.status?.conditions?.at(-1)).toMatchObject({ type: "Failed", reason: "SignerValidationFailure" });
});

test.each([
  ["Denied", "", 59, false],
  ["Denied", "", 61, true],
  ["Approved", "AAAA", 61, true],
  ["Approved", "", 61, false],
  ["Approved", "", 24 * 60 + 1, true],
  [undefined, "", 24 * 60 - 1, false],
  [undefined, "", 24 * 60 + 1, true],
])("%s with certificate %j after %i minutes is over: %s", (type, certificate, minutes, over) => {
  const time = "2026-01-01T00:00:00Z";
  const conditions = type === undefined ? [] : [{ type, status: "True" as const, lastUpdateTime: time }];
  const object = { metadata: { creationTimestamp: time }, status: { conditions, certificate } };
  expect(isOver(object, Date.parse(time) + minutes * 60_000)).toBe(over);
});
