import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CertificateSigningRequest } from "../../lib/gen/k8s/certificates/v1.ts";
import { createSigningRequest, type SigningRequestSubject } from "../../lib/pki/signing-request.ts";
import { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { jsonRequest } from "../../lib/process/json-request.ts";
import { eventually } from "../kit/eventually.ts";
import { KEELSON, keelson, TestCluster } from "../kit/keelson.ts";

const REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet";
const SERVING_SIGNER = "kubernetes.io/kubelet-serving";

let cluster: TestCluster;
let folder: string;
let url: string;
let token: string;
let hash: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-join-"));
  cluster = await TestCluster.up(["--runtime=simulated"]);
  url = (await cluster.kubectl.ok(["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"])).trim();
  const made = await keelson(["token", "create", `--data-dir=${cluster.dataDir}`]);
  token = made.stdout.split("\n")[0]!;
  hash = /sha256:[0-9a-f]{64}/.exec(made.stdout)![0];
  // What machines join by is published a moment after the start.
  await eventually(() => cluster.kubectl.ok(["get", "configmap", "cluster-info", "-n", "kube-public"]));
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function join(nodeName: string, flags: Record<string, string> = {}) {
  const all = { token, "ca-cert-hash": hash, "out-dir": path.join(folder, nodeName), "node-name": nodeName, ...flags };
  const args = Object.entries({ "api-server": url, ...all }).map(([name, value]) => `--${name}=${value}`);
  return keelson(["node", "join", ...args]);
}

/** A request by the identity that a join made; resolves when it is decided. */
async function decided(nodeName: string, signerName: string, subject: SigningRequestSubject) {
  const identity = new IdentityFolder(path.join(folder, nodeName));
  const caPem = identity.authorityPem("server");
  const server = { url, caPem, serverName: "kubernetes", client: identity.keyPair("client") };
  const { requestPem } = await createSigningRequest(subject);
  const usages = ["digital signature", signerName === SERVING_SIGNER ? "server auth" : "client auth"];
  const { metadata } = await jsonRequest<CertificateSigningRequest>(server, "POST", REQUESTS, {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { generateName: "test-" },
    spec: { request: Buffer.from(requestPem).toString("base64"), signerName, usages },
  });
  return await eventually(async () => {
    const now = await jsonRequest<CertificateSigningRequest>(server, "GET", `${REQUESTS}/${metadata?.name}`);
    const { conditions = [], certificate = "" } = now.status ?? {};
    expect(conditions.some(({ type }) => type === "Denied") || certificate !== "").toBe(true);
    return { isSigned: certificate !== "", message: conditions[0]?.message ?? "" };
  });
}

test("a node joins by token, runs a pod, and serves with a certificate that the cluster signed", async () => {
  const joined = await join("joined");
  expect(joined.code, joined.stderr).toBe(0);
  expect(joined.stdout + joined.stderr).not.toContain(token);
  const identity = path.join(folder, "joined");
  const certificate = new X509Certificate(readFileSync(path.join(identity, "client.crt")));
  expect(certificate.subject).toBe("O=system:nodes\nCN=system:node:joined");
  expect(certificate.validToDate.getTime() - certificate.validFromDate.getTime()).toBeLessThan(31 * 86_400_000);
  const { addresses } = await cluster.status();
  const args = ["--runtime=simulated", `--data-dir=${path.join(folder, "joined-data")}`, "--node-name=joined"];
  const agent = spawn(
    process.execPath,
    [KEELSON, "run", "node-agent", `--identity=${identity}`, `--api-server=${addresses["grpc"]}`, ...args],
    { stdio: "ignore" },
  );
  try {
    await eventually(async () => {
      const ready = ["get", "node", "joined", "-o", 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'];
      expect((await cluster.kubectl.ok(ready)).trim()).toBe("True");
    });
    const overrides = JSON.stringify({ spec: { nodeName: "joined" } });
    await cluster.kubectl.ok(["run", "on-joined", "--image=i", `--overrides=${overrides}`]);
    await cluster.kubectl.ok(["wait", "--for=condition=Ready", "pod/on-joined", "--timeout=30s"]);
    const port = Number(
      await cluster.kubectl.ok([
        "get",
        "node",
        "joined",
        "-o",
        "jsonpath={.status.daemonEndpoints.kubeletEndpoint.Port}",
      ]),
    );
    await eventually(async () => {
      const served = await servedCertificate(port);
      expect(served.issuer).toBe("CN=keelson-kubelet-ca");
      expect(served.subjectAltName).toBe("DNS:joined, IP Address:127.0.0.1");
    });
    await addressRules();
  } finally {
    const ended = new Promise((resolve) => agent.once("exit", resolve));
    agent.kill("SIGTERM");
    await ended;
  }
});

/** By the node that runs: its own name and address, and nothing more. */
async function addressRules(): Promise<void> {
  const own = { commonName: "system:node:joined", organizations: ["system:nodes"] };
  const served = (names: Pick<SigningRequestSubject, "dnsNames" | "ipAddresses">) =>
    decided("joined", SERVING_SIGNER, { ...own, ...names });
  expect(await served({ dnsNames: ["joined"], ipAddresses: ["127.0.0.1"] })).toMatchObject({ isSigned: true });
  expect(await served({ dnsNames: ["joined", "kubernetes"] })).toMatchObject({
    isSigned: false,
    message: 'kubernetes is not a name or an address of the Node "joined" alone',
  });
  expect(await served({ ipAddresses: ["10.0.0.1"] })).toMatchObject({ isSigned: false });
  expect(await decided("joined", CLIENT_SIGNER, own)).toMatchObject({ isSigned: true });
  const grown = await decided("joined", CLIENT_SIGNER, { ...own, dnsNames: ["joined"] });
  expect(grown).toMatchObject({ isSigned: false, message: "DNS and IP alternative names are not allowed" });
  const master = await decided("joined", CLIENT_SIGNER, { ...own, organizations: ["system:nodes", "system:masters"] });
  expect(master).toMatchObject({ isSigned: false, message: "subject organization is not system:nodes" });
  const other = { ...own, commonName: "system:node:node-1" };
  await expect(decided("joined", CLIENT_SIGNER, other)).rejects.toThrow(
    "can only create a node CSR with CN=system:node:joined",
  );
}

function servedCertificate(port: number): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("an authority with another hash is told nothing, and nothing is written", async () => {
  const requestNames = () => cluster.kubectl.ok(["get", "csr", "-o", "name"]);
  const before = await requestNames();
  const refused = await join("wrong-hash", { "ca-cert-hash": `sha256:${"0".repeat(64)}` });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`has other authorities (${hash}) than --ca-cert-hash says`);
  expect(existsSync(path.join(folder, "wrong-hash"))).toBe(false);
  expect(await requestNames()).toBe(before);
});

test("a token that was forged, deleted or has ended joins nothing", async () => {
  const [id = ""] = token.split(".");
  const unknown = "the cluster does not know the token, or its time is over";
  for (const bad of [`${id}.0000000000000000`, "abcdef.0123456789abcdef"]) {
    const refused = await join("forged", { token: bad });
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(unknown)]);
  }
  const short = (await keelson(["token", "create", "--ttl=1s", `--data-dir=${cluster.dataDir}`])).stdout.split(
    "\n",
  )[0]!;
  await eventually(async () => {
    const listed = await keelson(["token", "list", `--data-dir=${cluster.dataDir}`]);
    expect(listed.stdout).not.toContain(short.slice(0, 6));
  });
  expect((await join("late", { token: short })).stderr).toContain(unknown);
  const deleted = (await keelson(["token", "create", `--data-dir=${cluster.dataDir}`])).stdout.split("\n")[0]!;
  await keelson(["token", "delete", deleted.slice(0, 6), `--data-dir=${cluster.dataDir}`]);
  expect((await join("late", { token: deleted })).stderr).toContain(unknown);
});

test("a token makes new nodes: it never becomes one that is there, and sees no other request", async () => {
  const refused = await join("node-1");
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining('a Node "node-1" exists already: delete it before another machine joins by this name'),
  ]);
  const as = [`--server=${url}`, "--insecure-skip-tls-verify", `--token=${token}`, "--kubeconfig=/dev/null"];
  for (const verb of [
    ["get", "csr"],
    ["get", "nodes"],
    ["get", "secrets", "-n", "kube-system"],
  ]) {
    const asked = await cluster.kubectl.run([...as, ...verb]);
    expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining("Forbidden")]);
  }
});

test("people approve and deny by kubectl, and see why", async () => {
  const subject = { commonName: "jane", organizations: ["developers"] };
  for (const [name, word, condition] of [
    ["jane", "approve", "Approved,Issued"],
    ["joe", "deny", "Denied"],
  ] as const) {
    const request = Buffer.from((await createSigningRequest(subject)).requestPem).toString("base64");
    const spec = { request, signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"] };
    const object = {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name },
      spec,
    };
    await cluster.kubectl.ok(["create", "-f", "-"], {
      input: JSON.stringify({ ...object, spec: { ...spec, username: "forged" } }),
    });
    await cluster.kubectl.ok(["certificate", word, name]);
    await eventually(async () => {
      const row = (await cluster.kubectl.ok(["get", "csr", name, "--no-headers"])).trim().split(/\s+/);
      expect(row.slice(2)).toEqual(["kubernetes.io/kube-apiserver-client", "kubernetes-admin", "<none>", condition]);
    });
  }
});

test.each([
  [["--token=short"], "--token must be 6 and 16 lower case letters and digits"],
  [["--api-server=http://x:1"], "--api-server must be https://HOST:PORT"],
  [["--ca-cert-hash=md5:00"], "--ca-cert-hash must be sha256: and 64 hexadecimal digits"],
  [["--ca-cert=/nowhere"], "either --ca-cert-hash or --ca-cert is needed"],
  [["--node-name=Upper"], "--node-name must be lower case"],
  [["--token=@/nowhere"], "--token: ENOENT"],
])("keelson node join %j is refused with a way out", async (flags, message) => {
  const good = ["--api-server=https://127.0.0.1:1", "--token=abcdef.0123456789abcdef", `--ca-cert-hash=${hash}`];
  const refused = await keelson(["node", "join", ...good, `--out-dir=${folder}/x`, ...flags]);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
});
