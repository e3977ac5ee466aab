import { readFileSync } from "node:fs";
import path from "node:path";
import { LOOPBACK, nodeAddressOf, nodeFolder, nodeNamesOf, podCidrOf } from "../cluster-nodes.ts";
import type { ClusterRecord } from "../cluster-record.ts";
import { balancerProbe, describeProbe, etcdProbe, natsProbe, type Probe } from "./role-probe.ts";
import type { IdentityFolders } from "./split-identities.ts";
import type { ProcessSpec } from "./supervised-process.ts";

/** How many of each role that can have several. */
export const REPLICAS = [1, 2] as const;
/** Names of the ports that the processes listen on. */
export const PORT_NAMES = [
  "nats",
  "store",
  ...REPLICAS.flatMap((n) => [`api-server-${n}`, `api-server-${n}-grpc`] as const),
] as const;

type PortName = (typeof PORT_NAMES)[number];

export interface SplitWorld {
  readonly dataDir: string;
  readonly record: ClusterRecord;
  readonly listenFd: number;
  readonly ports: Readonly<Record<PortName, number>>;
  readonly identity: IdentityFolders;
}

/** One part of the cluster: what it is, how it is started, how it is asked for its health. */
export interface SplitRole {
  readonly role: string;
  readonly instance: string;
  /** Absent: it is no process of ours. */
  readonly argv?: readonly string[];
  readonly inheritedFd?: number;
  readonly probe: Probe;
}

/** Roles that are up together; each stage needs those before it. */
export interface SplitStage {
  readonly label: string;
  readonly roles: readonly SplitRole[];
}

const KEELSON = path.resolve(import.meta.dirname, "..", "..", "bin", "keelson");
/** The first descriptor that a child inherits beside its standard ones. */
const INHERITED_FD = 3;

export const BALANCER_CONFIG = "haproxy.cfg";

/** Every process of the cluster, and how it is told to find the others. */
export function splitStages(world: SplitWorld): SplitStage[] {
  return [
    { label: "nats, store", roles: [nats(world), store(world)] },
    { label: "api-servers", roles: REPLICAS.map((n) => apiServer(world, n)) },
    { label: "balancer", roles: [balancer(world)] },
    {
      label: "schedulers, controller-managers",
      roles: [
        ...REPLICAS.map((n) => leaderRole(world, "scheduler", n)),
        ...REPLICAS.map((n) => leaderRole(world, "controller-manager", n)),
      ],
    },
    { label: "node agents", roles: nodeNamesOf(world.record).map((name, index) => nodeAgent(world, name, index)) },
  ];
}

export function processSpecs(stage: SplitStage): ProcessSpec[] {
  return stage.roles.flatMap(({ instance, argv, inheritedFd }) =>
    argv === undefined ? [] : [{ name: instance, argv, ...(inheritedFd === undefined ? {} : { inheritedFd }) }],
  );
}

/** The api-servers as the balancer's configuration names them. */
export function balancerOptions({ ports, record, identity, dataDir }: SplitWorld) {
  return {
    listenFd: INHERITED_FD,
    grpcListen: `${nodeAddressOf(record)}:${record.grpcPort}`,
    servers: REPLICAS.map((n) => ({
      name: `api-server-${n}`,
      port: ports[`api-server-${n}`],
      grpcPort: ports[`api-server-${n}-grpc`],
    })),
    // Relative: whatever the folder is called, it needs no quotes.
    authorityFile: path.relative(path.join(dataDir, "run"), path.join(identity("admin"), "server-ca.crt")),
  };
}

function nats({ ports, identity }: SplitWorld): SplitRole {
  const folder = identity("nats");
  const authorityPem = readFileSync(path.join(folder, "server-ca.crt"), "utf8");
  const argv = ["nats-server", "-c", path.join(folder, "accounts.conf"), "--addr", LOOPBACK, "--port", `${ports.nats}`];
  const tls = ["--tls", "--tlscert", path.join(folder, "server.crt"), "--tlskey", path.join(folder, "server.key")];
  return { role: "nats", instance: "nats", argv: [...argv, ...tls], probe: natsProbe(ports.nats, authorityPem) };
}

function store(world: SplitWorld): SplitRole {
  const external = world.record.store;
  if (external !== undefined) {
    const { tls } = external;
    const pem = (file: string) => readFileSync(file, "utf8");
    const credentials = tls && { caPem: pem(tls.ca), certPem: pem(tls.cert), keyPem: pem(tls.key) };
    return { role: "store", instance: "store", probe: etcdProbe(external.endpoints, credentials) };
  }
  return keelsonRole(world, "store", "store", "store", [
    `--data-dir=${path.join(world.dataDir, "store")}`,
    `--listen=${LOOPBACK}:${world.ports.store}`,
  ]);
}

function apiServer(world: SplitWorld, n: (typeof REPLICAS)[number]): SplitRole {
  const { ports, record } = world;
  const endpoints = record.store?.endpoints ?? [`${LOOPBACK}:${ports.store}`];
  const isPlainText = record.store !== undefined && record.store.tls === undefined;
  return keelsonRole(world, "api-server", `api-server-${n}`, "api-server", [
    `--store=etcd://${endpoints.join(",")}`,
    ...(isPlainText ? ["--insecure"] : []),
    `--listen=${LOOPBACK}:${ports[`api-server-${n}`]}`,
    `--grpc-listen=${LOOPBACK}:${ports[`api-server-${n}-grpc`]}`,
    natsFlag(world),
    `--cluster=${record.id}`,
  ]);
}

function balancer({ dataDir, listenFd, identity, record }: SplitWorld): SplitRole {
  const authorityPem = readFileSync(path.join(identity("admin"), "server-ca.crt"), "utf8");
  return {
    role: "balancer",
    instance: "balancer",
    argv: ["haproxy", "-db", "-f", path.join(dataDir, "run", BALANCER_CONFIG)],
    inheritedFd: listenFd,
    probe: balancerProbe({ host: nodeAddressOf(record), port: record.grpcPort }, authorityPem),
  };
}

function leaderRole(world: SplitWorld, role: "scheduler" | "controller-manager", n: number): SplitRole {
  return keelsonRole(world, role, `${role}-${n}`, role, clusterFlags(world, n));
}

function nodeAgent(world: SplitWorld, name: string, index: number): SplitRole {
  const { record, dataDir } = world;
  return keelsonRole(world, "node-agent", name, `node-${name}`, [
    ...clusterFlags(world, index),
    `--node-name=${name}`,
    `--runtime=${record.runtime}`,
    `--data-dir=${nodeFolder(dataDir, name)}`,
    `--node-ip=${nodeAddressOf(record)}`,
    `--pod-cidr=${podCidrOf(record, index)}`,
  ]);
}

/** Clients take the first address that answers: neighbours begin with different ones, so that both serve. */
function clusterFlags(world: SplitWorld, number: number): string[] {
  const addresses = REPLICAS.map((n) => `${LOOPBACK}:${world.ports[`api-server-${n}-grpc`]}`);
  if (number % 2 === 0) addresses.reverse();
  return [`--api-server=${addresses.join(",")}`, natsFlag(world)];
}

function natsFlag({ ports }: SplitWorld): string {
  return `--nats=${LOOPBACK}:${ports.nats}`;
}

function keelsonRole(
  world: SplitWorld,
  role: string,
  instance: string,
  identity: Parameters<IdentityFolders>[0],
  flags: readonly string[],
): SplitRole {
  const socket = `${instance}.sock`;
  const common = [`--identity=${world.identity(identity)}`, `--role-listen=unix:${socket}`];
  const node = [process.execPath, "--disallow-code-generation-from-strings", KEELSON];
  return { role, instance, argv: [...node, "run", role, ...common, ...flags], probe: describeProbe(socket) };
}
