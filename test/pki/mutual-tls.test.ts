import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GrpcApiClient } from "../../lib/client/grpc-api-client.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { KVDefinition, RangeRequest } from "../../lib/gen/etcd/etcdserverpb/rpc.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { namespaces } from "../../lib/gen/k8s/resources.ts";
import type { AuthorityName } from "../../lib/process/identity-folder.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { eventually } from "../kit/eventually.ts";
import { freePorts } from "../kit/free-ports.ts";
import { RoleProcess } from "../kit/role-process.ts";
import { Identities } from "./identities.ts";

/** A server of the cluster, and what its clients must show. */
interface Hop {
  readonly server: string;
  readonly clientAuthority: AuthorityName;
  readonly good: () => KeyPair;
  /** `yes`, or how the client was turned away. */
  readonly asks: (shown: KeyPair | undefined) => Promise<string>;
}

const folder = mkdtempSync(path.join(tmpdir(), "keelson-mutual-tls-"));
const processes: RoleProcess[] = [];
const registry = loadRegistry(kindDescriptors);
let identities: Identities;
let ports: number[] = [];

beforeAll(async () => {
  identities = await Identities.make(["--node=node-1"]);
  ports = await freePorts(4);
  const [store, rest, grpc, kubelet] = ports;
  const at = (name: string) => identities.of(name).folder;
  const host = (port: number | undefined) => `127.0.0.1:${port}`;
  const run = (role: string, ...flags: string[]) => processes.push(new RoleProcess(role, folder, [role, ...flags]));
  run("store", `--identity=${at("store")}`, `--data-dir=${path.join(folder, "store")}`, `--listen=${host(store)}`);
  run(
    "api-server",
    `--identity=${at("api-server")}`,
    `--store=etcd://${host(store)}`,
    `--listen=${host(rest)}`,
    `--grpc-listen=${host(grpc)}`,
  );
  run(
    "node-agent",
    `--identity=${at("node-node-1")}`,
    `--api-server=${host(grpc)}`,
    "--node-name=node-1",
    "--runtime=simulated",
    `--data-dir=${path.join(folder, "node")}`,
    `--kubelet-port=${kubelet}`,
  );
  for (const process of processes) process.start();
  await eventually(async () => {
    for (const process of processes) expect(await process.describe()).toMatchObject({ ready: true, detail: "" });
  });
});
afterAll(async () => {
  await Promise.all(processes.map((process) => process.end("SIGKILL")));
  identities?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** `yes`, or the code that the question ended with. */
async function overGrpc(
  target: { port: number; authority: "store" | "server"; shown: KeyPair | undefined },
  ask: (channel: GrpcChannel) => Promise<unknown>,
): Promise<string> {
  const caPem = identities.of("api-server").authorityPem(target.authority);
  const channel = new GrpcChannel({ target: `127.0.0.1:${target.port}`, tls: { caPem, ...target.shown } });
  try {
    await ask(channel);
    return "yes";
  } catch (error) {
    return String((error as { code: string | number }).code);
  } finally {
    channel.close();
  }
}

const readsKey = (channel: GrpcChannel) => {
  const range = RangeRequest.fromPartial({ key: Buffer.from("k") });
  return channel.client(KVDefinition).range(range, { timeoutMs: 30_000 });
};
const listsNamespaces = (channel: GrpcChannel) => new GrpcApiClient({ channel, registry }).list(namespaces);

function overHttps(
  port: number,
  authority: AuthorityName,
  target: string,
  shown: KeyPair | undefined,
): Promise<string> {
  const ca = identities.of("api-server").authorityPem(authority);
  const tls = shown === undefined ? {} : { cert: shown.certPem, key: shown.keyPem };
  return new Promise((resolve) => {
    const call = request({ host: "127.0.0.1", port, path: target, ca, ...tls }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? "yes" : String(response.statusCode));
    });
    call.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    call.end();
  });
}

const admin = () => identities.of("admin").keyPair("client");
const HOPS: readonly Hop[] = [
  {
    server: "store",
    clientAuthority: "store",
    good: () => identities.of("api-server").keyPair("store-client"),
    asks: (shown) => overGrpc({ port: ports[0]!, authority: "store", shown }, readsKey),
  },
  {
    server: "api-server by gRPC",
    clientAuthority: "client",
    good: admin,
    asks: (shown) => overGrpc({ port: ports[2]!, authority: "server", shown }, listsNamespaces),
  },
  {
    server: "api-server by REST",
    clientAuthority: "client",
    good: admin,
    asks: (shown) => overHttps(ports[1]!, "server", "/api/v1/pods", shown),
  },
  {
    server: "kubelet",
    clientAuthority: "client",
    good: () => identities.of("api-server").keyPair("kubelet-client"),
    asks: (shown) => overHttps(ports[3]!, "kubelet", "/pods", shown),
  },
];

const MASTER = { commonName: "kubernetes-admin", organizations: ["system:masters"], validityDays: 1 };
const IMPOSTORS: readonly (readonly [string, (hop: Hop) => KeyPair | undefined | Promise<KeyPair>])[] = [
  ["no certificate", () => undefined],
  ["a kubelet's serving certificate", () => identities.of("node-node-1").keyPair("server")],
  ["an api-server's serving certificate", () => identities.of("api-server").keyPair("server")],
  ["the store's serving certificate", () => identities.of("store").keyPair("server")],
  [
    "a certificate of another purpose's authority",
    (hop) => identities.issue(hop.clientAuthority === "client" ? "store" : "client", { ...MASTER, usages: ["client"] }),
  ],
  ["a front proxy's certificate", () => identities.of("api-server").keyPair("front-proxy-client")],
  ["an expired one", (hop) => identities.issue(hop.clientAuthority, { ...MASTER, usages: ["client"] }, 2)],
  ["one that is for servers only", (hop) => identities.issue(hop.clientAuthority, { ...MASTER, usages: ["server"] })],
];

describe.each(HOPS)("$server", (hop) => {
  test("takes the certificate that it is for", async () => {
    expect(await hop.asks(hop.good())).toBe("yes");
    const again = await identities.issue(hop.clientAuthority, { ...MASTER, usages: ["client"] });
    expect(await hop.asks(again)).toBe("yes");
  });

  test.each(IMPOSTORS)("turns away %s", async (_what, shown) => {
    expect(await hop.asks(await shown(hop))).toMatch(/^(UNAVAILABLE|401|ECONNRESET|ERR_SSL_.*)$/);
  });
});

test("a certificate of the right authority is not enough where its name has no right", async () => {
  const [api, rest, kubelet] = [HOPS[1]!, HOPS[2]!, HOPS[3]!];
  // What the api-server shows to kubelets gives nobody who gets hold of it the API.
  const toKubelets = identities.of("api-server").keyPair("kubelet-client");
  expect([await api.asks(toKubelets), await rest.asks(toKubelets)]).toEqual(["403", "403"]);
  for (const name of ["scheduler", "controller-manager", "node-node-1"]) {
    expect([name, await kubelet.asks(identities.of(name).keyPair("client"))]).toEqual([name, "403"]);
  }
  expect(await HOPS[0]!.asks(identities.of("node-node-1").keyPair("client"))).toBe("UNAVAILABLE");
});

test("a client turns away a server that another authority vouches for", async () => {
  const store = { port: ports[0]!, authority: "server" as const, shown: HOPS[0]!.good() };
  expect(await overGrpc(store, readsKey)).toBe("UNAVAILABLE");
  const api = { port: ports[2]!, authority: "store" as const, shown: admin() };
  expect(await overGrpc(api, listsNamespaces)).toBe("503");
  expect(await overHttps(ports[3]!, "server", "/pods", HOPS[3]!.good())).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
});

test("invariant 53: no key and no seed is in what the processes print", () => {
  const secrets = identities.secrets();
  expect(secrets.length).toBeGreaterThan(20);
  for (const process of processes) {
    expect(process.log).not.toBe("");
    for (const secret of secrets) expect(process.log).not.toContain(secret);
  }
});
