import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { cidrsOverlap, parseCidr } from "../lib/core/cidr.ts";
import type { IdentityFolder } from "../lib/process/identity-folder.ts";
import { ownAddressTowards } from "../lib/process/own-address.ts";
import { checkAddress, checkNodeName, cidrFlag, PORT_MAX } from "./address-flags.ts";
import {
  type Command,
  choiceFlag,
  type FlagValues,
  integerFlag,
  neededFlag,
  parseFlags,
  refusing,
  stringFlag,
  UsageError,
} from "./command.ts";
import {
  CLUSTER_FLAGS,
  CLUSTER_USAGE,
  clusterFlags,
  identityFlag,
  ROLE_FLAGS,
  ROLE_USAGE,
  roleOptions,
} from "./role-flags.ts";
import { chooseRuntime } from "./runtime-choice.ts";

const FILES = ["client.crt", "client.key", "server-ca.crt", "server.crt", "server.key", "client-ca.crt"];
/** As everywhere in Kubernetes; simulated nodes share a machine and take a free one. */
const KUBELET_PORT = 10_250;

export const runNodeAgentCommand: Command = {
  summary: "runs the pods of one node",
  usage: `keelson run node-agent --identity=DIR --api-server=HOST:PORT[,HOST:PORT...] --node-name=NAME
                       --runtime=containerd|simulated --data-dir=DIR

  --identity=DIR          what "keelson pki" or "keelson node join" made for the node
${CLUSTER_USAGE}
  --node-name=NAME        of the Node object, and in the identity
  --runtime=RUNTIME       containerd (real containers, in this network namespace; needs root) or simulated
  --data-dir=DIR          what the node keeps; made when missing
  --node-ip=IP            where the node is reached (default: the address from which it reaches the first --api-server)
  --pod-cidr=CIDR         addresses of its pods, its own in the cluster (simulated: one made from its name)
  --kubelet-port=N        of the node's API; 0: a free one (default ${KUBELET_PORT}; simulated: 0)
${ROLE_USAGE}

Containers go on when it ends, and are taken over when it comes back.`,
  async run(args, io) {
    const { values } = parseFlags(args, {
      identity: "string",
      ...CLUSTER_FLAGS,
      "node-name": "string",
      runtime: "string",
      "data-dir": "string",
      "node-ip": "string",
      "pod-cidr": "string",
      "kubelet-port": "string",
      ...ROLE_FLAGS,
    });
    const asked = nodeOf(values, io.env["PATH"] ?? "");
    const identity = identityFlag(values, FILES);
    checkName(identity, asked.nodeName);
    const cluster = clusterFlags(values, identity);
    const nodeIp = asked.nodeIp ?? (await addressTowards(cluster.addresses[0] ?? ""));
    const others = cluster.addresses.map((address) => checkAddress(address, "api-server").host);
    if (asked.runtime === "containerd") checkPodCidr(asked.podCidr, [nodeIp, ...others]);
    const options = { ...roleOptions(values, io, identity, "client"), identity, cluster, node: { ...asked, nodeIp } };
    const { runNodeAgentRole } = await import("../node-agent/main.ts");
    return refusing(() => runNodeAgentRole(options));
  },
};

function nodeOf(values: FlagValues, searchPath: string) {
  const nodeName = checkNodeName(neededFlag(values, "node-name"));
  const asked = choiceFlag(values, "runtime", ["containerd", "simulated"]);
  if (asked === undefined) throw new UsageError("--runtime is needed: containerd or simulated");
  const { runtime } = chooseRuntime(asked, searchPath);
  const nodeIp = stringFlag(values, "node-ip");
  if (nodeIp !== undefined && isIP(nodeIp) === 0)
    throw new UsageError(`--node-ip must be an IP address, not ${JSON.stringify(nodeIp)}`);
  const podCidr = cidrFlag(values, "pod-cidr") ?? (runtime === "simulated" ? simulatedCidr(nodeName) : undefined);
  if (podCidr === undefined) throw new UsageError("--pod-cidr is needed: a network that no other node's pods have");
  const dataDir = neededFlag(values, "data-dir");
  const kubeletPort = integerFlag(values, "kubelet-port", 0, PORT_MAX, runtime === "simulated" ? 0 : KUBELET_PORT);
  return { nodeName, nodeIp, runtime, dataDir, podCidr, kubeletPort };
}

/** The API lets a node touch what is its own, which it knows by the certificate. */
function checkName(identity: IdentityFolder, nodeName: string): void {
  const { subject } = new X509Certificate(identity.text("client.crt"));
  const named = /^CN=system:node:(.+)$/m.exec(subject)?.[1];
  if (named === nodeName) return;
  const whose = named === undefined ? "of no node" : `of node ${named}`;
  throw new UsageError(`--identity ${identity.folder} is ${whose}, not of --node-name=${nodeName}`);
}

async function addressTowards(apiServer: string): Promise<string> {
  const { host, port } = checkAddress(apiServer, "api-server");
  try {
    return await ownAddressTowards(host, port);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new UsageError(`the address from which ${apiServer} is reached cannot be told (${why}): give --node-ip`, {
      cause,
    });
  }
}

/** A bridge with such a range would lead packets for these addresses to pods. */
function checkPodCidr(podCidr: string, addresses: readonly string[]): void {
  const range = parseCidr(podCidr);
  const within = addresses.find((address) => {
    const one = parseCidr(address);
    return range !== undefined && one !== undefined && cidrsOverlap(range, one);
  });
  if (within !== undefined) {
    throw new UsageError(`--pod-cidr ${podCidr} has ${within} in it: pods need a network that no machine is in`);
  }
}

/** Nobody reaches simulated pods, so that it does no harm when two nodes come to have the same. */
function simulatedCidr(nodeName: string): string {
  const [second, third] = createHash("sha256").update(nodeName).digest();
  return `10.${second}.${third}.0/24`;
}
