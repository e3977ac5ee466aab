import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { ended } from "./ended.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import { type CommandResult, runCommand } from "./kubectl.ts";

const CURRENT = path.resolve(import.meta.dirname, "..", "..", ".cache", "bin", "etcd-current");

/** etcd as `bin/set-up --test` builds it from its Go module; Debian's, and a word about it, where there was no Go. */
export function currentEtcd(): string {
  if (existsSync(CURRENT)) return CURRENT;
  process.stderr.write("a current etcd was not built here (needs Go): Debian's etcd is used in its place\n");
  return "etcd";
}

export interface EtcdClusterOptions {
  /** Default: `currentEtcd()`. */
  readonly program?: string;
  /** Clients must show a certificate that `caPem` signed; absent: plain text. */
  readonly tls?: { readonly caPem: string; readonly server: KeyPair; readonly client: KeyPair };
}

/** One member: a process that can be killed, frozen and started again on its data. */
export class EtcdMember {
  readonly name: string;
  /** `127.0.0.1:PORT`, for clients. */
  readonly address: string;
  readonly #program: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  constructor(name: string, address: string, program: string, flags: readonly string[]) {
    this.name = name;
    this.address = address;
    this.#program = program;
    this.#flags = flags;
  }

  start(): void {
    this.#child = spawn(this.#program, this.#flags, { stdio: "ignore" });
  }

  /** With SIGKILL. */
  async kill(): Promise<void> {
    if (this.#child !== undefined) await ended(this.#child);
  }

  /** With SIGSTOP: connections stand, nothing is answered. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }
}

/** A real etcd of several members on free loopback ports, with data of its own. */
export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly #folder: string;
  readonly #client: readonly string[];
  readonly #scheme: string;

  private constructor(folder: string, members: readonly EtcdMember[], client: readonly string[], scheme: string) {
    this.#folder = folder;
    this.members = members;
    this.#client = client;
    this.#scheme = scheme;
  }

  /** Resolves when all members answer. */
  static async start(count: number, options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    const folder = mkdtempSync(path.join(tmpdir(), "keelson-etcd-"));
    const ports = await freePorts(2 * count);
    const scheme = options.tls === undefined ? "http" : "https";
    const tls = options.tls === undefined ? { server: [], client: [] } : tlsFlags(folder, options.tls);
    const program = options.program ?? currentEtcd();
    const peers = Array.from({ length: count }, (_, index) => `http://127.0.0.1:${ports[count + index]}`);
    const names = Array.from({ length: count }, (_, index) => `m${index}`);
    const members = names.map((name, index) => {
      const address = `127.0.0.1:${ports[index]}`;
      const flags = [
        `--name=${name}`,
        `--data-dir=${path.join(folder, name)}`,
        `--listen-client-urls=${scheme}://${address}`,
        `--advertise-client-urls=${scheme}://${address}`,
        `--listen-peer-urls=${peers[index]}`,
        `--initial-advertise-peer-urls=${peers[index]}`,
        `--initial-cluster=${names.map((one, at) => `${one}=${peers[at]}`).join(",")}`,
        "--log-level=error",
        ...tls.server,
      ];
      return new EtcdMember(name, address, program, flags);
    });
    const cluster = new EtcdCluster(folder, members, tls.client, scheme);
    for (const member of members) member.start();
    try {
      await cluster.healthy();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get endpoints(): string[] {
    return this.members.map(({ address }) => address);
  }

  /** Waits until all these members take part in consensus. */
  async healthy(members: readonly EtcdMember[] = this.members): Promise<void> {
    for (const member of members) {
      await eventually(async () => {
        const { code, stderr } = await this.etcdctl(["endpoint", "health"], [member]);
        if (code !== 0) throw new Error(stderr);
      });
    }
  }

  /** Debian's etcdctl, at all members or at some. */
  async etcdctl(args: readonly string[], members: readonly EtcdMember[] = this.members): Promise<CommandResult> {
    const endpoints = members.map(({ address }) => `${this.#scheme}://${address}`).join(",");
    return await runCommand(["etcdctl", `--endpoints=${endpoints}`, "--command-timeout=5s", ...this.#client, ...args], {
      env: { ETCDCTL_API: "3" },
    });
  }

  async leader(): Promise<EtcdMember> {
    return await eventually(async () => {
      const status = await this.#status();
      const leading = this.members.find((member) => status.get(member.address)?.isLeader);
      if (leading === undefined) throw new Error("etcd has no leader");
      return leading;
    });
  }

  /** Makes another member the leader, and resolves to it. */
  async moveLeader(): Promise<EtcdMember> {
    const from = await this.leader();
    const to = this.members[(this.members.indexOf(from) + 1) % this.members.length]!;
    const id = (await this.#status()).get(to.address)?.id ?? "";
    const { code, stderr } = await this.etcdctl(["move-leader", id], [from]);
    if (code !== 0) throw new Error(`etcdctl move-leader: ${stderr}`);
    return to;
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** By address; members that do not answer are left out. */
  async #status(): Promise<Map<string, { readonly id: string; readonly isLeader: boolean }>> {
    const { stdout } = await this.etcdctl(["endpoint", "status"]);
    const rows = stdout.split("\n").filter((line) => line !== "");
    return new Map(
      rows.map((row) => {
        const [endpoint = "", id = "", , , isLeader] = row.split(", ");
        return [endpoint.replace(/^https?:\/\//, ""), { id, isLeader: isLeader === "true" }];
      }),
    );
  }
}

function tlsFlags(folder: string, tls: NonNullable<EtcdClusterOptions["tls"]>) {
  const file = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text, { mode: 0o600 });
    return path.join(folder, name);
  };
  const ca = file("ca.crt", tls.caPem);
  return {
    server: [
      `--cert-file=${file("server.crt", tls.server.certPem)}`,
      `--key-file=${file("server.key", tls.server.keyPem)}`,
      "--client-cert-auth",
      `--trusted-ca-file=${ca}`,
    ],
    client: [
      `--cacert=${ca}`,
      `--cert=${file("client.crt", tls.client.certPem)}`,
      `--key=${file("client.key", tls.client.keyPem)}`,
    ],
  };
}
