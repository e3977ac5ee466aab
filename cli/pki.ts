import { isIP } from "node:net";
import path from "node:path";
import { ClusterPki } from "../cluster/cluster-pki.ts";
import type { IdentityName } from "../cluster/pki/identity-plan.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import { checkHttpsUrl } from "./address-flags.ts";
import { type Command, type CommandIo, parseFlags, refusing, stringFlag, stringsFlag, UsageError } from "./command.ts";
import { outDirFlag } from "./file-flags.ts";

interface Wanted {
  readonly identity: IdentityName;
  readonly hosts: readonly string[];
}

const DEFAULT_API_PORT = 6443;

export const pkiCommand: Command = {
  summary: "makes the authorities of a cluster and an identity for each role and node",
  usage: `keelson pki --out-dir=DIR [--api-server-name=HOST]... [--nats-name=HOST]... [--store-name=HOST]...
            [--node=NAME[,HOST]...]... [--server=https://HOST:PORT]

  --out-dir=DIR           gets DIR/authorities, which signs and should stay on no machine of the cluster, and
                          DIR/identities/NAME, each for one role ("keelson run ROLE --identity=DIR")
  --api-server-name=HOST  a name or address that clients reach api-servers at
  --nats-name, --store-name=HOST  the same of nats-server and of the store
  --node=NAME[,HOST...]   a node, and where its api-servers reach it
  --server=URL            where the administrator's kubeconfig points
                          (default: https://, the first --api-server-name or 127.0.0.1, and port ${DEFAULT_API_PORT})

Again on the same DIR: makes what lacks, makes certificates anew that near their end, and keeps the rest.`,
  async run(args, io) {
    const { values } = parseFlags(args, {
      "out-dir": "string",
      "api-server-name": "strings",
      "nats-name": "strings",
      "store-name": "strings",
      node: "strings",
      server: "string",
    });
    const outDir = stringFlag(values, "out-dir");
    if (outDir === undefined) throw new UsageError("--out-dir is needed: where authorities and identities go");
    const hostsOf = (flag: string) => stringsFlag(values, flag).map((host) => checkHost(flag, host));
    const apiServers = hostsOf("api-server-name");
    const server = serverUrl(stringFlag(values, "server"), apiServers[0]);
    const wanted: Wanted[] = [
      { identity: "nats", hosts: hostsOf("nats-name") },
      { identity: "store", hosts: hostsOf("store-name") },
      { identity: "api-server", hosts: apiServers },
      { identity: "scheduler", hosts: [] },
      { identity: "controller-manager", hosts: [] },
      { identity: "admin", hosts: [] },
      ...stringsFlag(values, "node").map(nodeOf),
    ];
    return refusing(() => makeAll(outDirFlag(outDir).folder, wanted, server, io));
  },
};

async function makeAll(
  folder: string,
  wanted: readonly Wanted[],
  server: string | undefined,
  io: CommandIo,
): Promise<number> {
  const written = new Map<string, string[]>();
  const wrote = (file: string) => {
    const place = path.dirname(file);
    written.set(place, [...(written.get(place) ?? []), path.basename(file)]);
  };
  const pki = new ClusterPki({ clock: realClock, random: realRandom, wrote }, folder);
  for (const { identity, hosts } of wanted) {
    const place = await pki.identityFolder(identity, hosts);
    if (identity === "admin") await pki.writeKubeconfig("keelson", server, `https://127.0.0.1:${DEFAULT_API_PORT}`);
    const files = written.get(place);
    io.out(`${place}: ${files === undefined ? "kept" : files.sort().join(" ")}\n`);
  }
  const authorities = path.join(folder, "authorities");
  io.out(`${authorities}: ${written.get(authorities)?.sort().join(" ") ?? "kept"}\n`);
  io.out("Give each machine the identities that run on it, and keep the authorities on none of them.\n");
  return 0;
}

/** As Kubernetes names objects (RFC 1123). */
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

function checkHost(flag: string, host: string): string {
  if (isIP(host) !== 0 || DNS_NAME.test(host)) return host;
  throw new UsageError(
    `--${flag} must be a DNS name in lower case or an IP address without a port, not ${JSON.stringify(host)}`,
  );
}

function nodeOf(text: string): Wanted {
  const [name = "", ...hosts] = text.split(",");
  if (!DNS_NAME.test(name) || isIP(name) !== 0) {
    throw new UsageError(
      `--node must begin with a node's name (a DNS name in lower case), not ${JSON.stringify(name)}`,
    );
  }
  return { identity: `node-${name}`, hosts: hosts.map((host) => checkHost("node", host)) };
}

function serverUrl(flag: string | undefined, host: string | undefined): string | undefined {
  if (flag !== undefined) return checkHttpsUrl(flag, "server");
  if (host === undefined) return undefined;
  return `https://${isIP(host) === 6 ? `[${host}]` : host}:${DEFAULT_API_PORT}`;
}
