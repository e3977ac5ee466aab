import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { Authority } from "../../../lib/pki/authority.ts";
import { realClock } from "../../../lib/process/real-clock.ts";
import type { KubeObject } from "../core/kube-object.ts";
import { PodLog } from "./pod-log.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** The log of a pod whose kubelet is on 127.0.0.1, with a certificate for `address`. */
async function logWithCertificateFor(address: string): Promise<string> {
  const authority = await Authority.create("kubelets", realClock, new SeededRandom(1));
  const serving = await authority.issue({
    commonName: "system:node:n",
    dnsNames: ["n"],
    ipAddresses: [address],
    usages: ["server"],
    validityDays: 1,
  });
  const kubelet = createServer({ cert: serving.certPem, key: serving.keyPem }, (_request, response) =>
    response.end("a line\n"),
  );
  await once(kubelet.listen(0, "127.0.0.1"), "listening");
  const { port } = kubelet.address() as AddressInfo;
  const node: KubeObject = {
    metadata: { name: "n" },
    status: {
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    },
  };
  const client = await authority.issue({ commonName: "api-server", usages: ["client"], validityDays: 1 });
  const log = new PodLog(
    { reads: { find: async () => node }, log: silentLog },
    { ...client, caPem: authority.certPem },
  );
  cleanups.push(
    () => log.close(),
    () => kubelet.close(),
  );
  const target = { namespace: "default", name: "p" };
  const pod: KubeObject = { metadata: { name: "p" }, spec: { nodeName: "n", containers: [{ name: "main" }] } };
  const answer = await log.open(target, pod, new URLSearchParams(), new AbortController().signal);
  return (await answer!.toArray()).join("");
}

test("a log comes from a kubelet whose certificate names its address", async () => {
  expect(await logWithCertificateFor("127.0.0.1")).toBe("a line\n");
});

test("another certificate is refused, and the answer says for whom it is and for whom not", async () => {
  await expect(logWithCertificateFor("127.0.0.2")).rejects.toThrow(
    "the kubelet's certificate is valid for DNS:n, IP Address:127.0.0.2, not for 127.0.0.1, the address in its Node's status",
  );
});
