import { expect, test } from "vitest";
import { createSigningRequest, readSigningRequest } from "./signing-request.ts";

test("what is asked for is read again", async () => {
  const { requestPem } = await createSigningRequest({
    commonName: "system:node:n",
    organizations: ["system:nodes", "x, y"],
    dnsNames: ["n"],
    ipAddresses: ["10.0.0.1", "fd00::1"],
  });
  expect(await readSigningRequest(requestPem)).toMatchObject({
    commonNames: ["system:node:n"],
    organizations: ["system:nodes", "x, y"],
    hasMoreSubject: false,
    dnsNames: ["n"],
    ipAddresses: ["10.0.0.1", "fd00::1"],
    otherNames: [],
  });
});

test("what is no request, or signed by another key, is refused", async () => {
  const { requestPem, keyPem } = await createSigningRequest({ commonName: "a" });
  await expect(readSigningRequest(keyPem)).rejects.toThrow("PEM block type must be CERTIFICATE REQUEST");
  await expect(readSigningRequest(requestPem + requestPem)).rejects.toThrow("PEM block type");
  await expect(readSigningRequest(requestPem.replace(/\n[^-]{20}/, "\n"))).rejects.toThrow("cannot be parsed");
  const der = Buffer.from(requestPem.replace(/-----[^-]+-----/g, ""), "base64");
  der[der.indexOf("a", 10)] = "b".charCodeAt(0);
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  await expect(readSigningRequest(forged)).rejects.toThrow();
});
