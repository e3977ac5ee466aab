import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { realClock } from "../process/real-clock.ts";
import { realRandom } from "../process/real-random.ts";
import { Authority } from "./authority.ts";

test("an issued certificate chains to its authority and carries subject, names and purpose", async () => {
  const authority = await Authority.create("test-ca", realClock, realRandom);
  const pair = await authority.issue({
    commonName: "system:node:a",
    organizations: ["system:nodes"],
    dnsNames: ["a.example"],
    ipAddresses: ["10.0.0.1", "::1"],
    usages: ["client", "server"],
    validityDays: 1,
  });
  const certificate = new X509Certificate(pair.certPem);
  expect(certificate.verify(new X509Certificate(authority.certPem).publicKey)).toBe(true);
  expect(certificate.subject.split("\n")).toEqual(["O=system:nodes", "CN=system:node:a"]);
  expect(certificate.checkHost("a.example")).toBe("a.example");
  expect(certificate.checkIP("10.0.0.1")).toBe("10.0.0.1");
  expect(certificate.ca).toBe(false);
});

test("an authority that was written down signs as before; another authority's certificate does not verify", async () => {
  const authority = await Authority.create("test-ca", realClock, realRandom);
  const loaded = await Authority.load({ certPem: authority.certPem, keyPem: authority.keyPem }, realClock, realRandom);
  const pair = await loaded.issue({ commonName: "x", usages: ["client"], validityDays: 1 });
  const other = await Authority.create("test-ca", realClock, realRandom);
  const certificate = new X509Certificate(pair.certPem);
  expect(certificate.verify(new X509Certificate(authority.certPem).publicKey)).toBe(true);
  expect(certificate.verify(new X509Certificate(other.certPem).publicKey)).toBe(false);
});
