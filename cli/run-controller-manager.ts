import type { KeyPair } from "../lib/core/key-pair.ts";
import type { IdentityFolder } from "../lib/process/identity-folder.ts";
import { type Command, parseFlags, refusing } from "./command.ts";
import {
  CLUSTER_FLAGS,
  CLUSTER_USAGE,
  clusterFlags,
  identityFlag,
  ROLE_FLAGS,
  ROLE_USAGE,
  roleOptions,
} from "./role-flags.ts";

/** Those authorities whose keys lie in the folder; without a key, requests wait for who has it. */
function signingKeys(identity: IdentityFolder): Partial<Record<"client" | "kubelet", () => Promise<KeyPair>>> {
  const names = (["client", "kubelet"] as const).filter((name) => identity.has(`${name}-ca.key`));
  const read = async (name: "client" | "kubelet") => ({
    certPem: identity.authorityPem(name),
    keyPem: identity.text(`${name}-ca.key`),
  });
  return Object.fromEntries(names.map((name) => [name, () => read(name)]));
}

export const runControllerManagerCommand: Command = {
  summary: "runs the controllers",
  usage: `keelson run controller-manager --identity=DIR --api-server=HOST:PORT[,HOST:PORT...] [--nats=HOST:PORT,...]

  --identity=DIR          client.crt, client.key, server-ca.crt; where it is to sign the certificates of nodes and
                          clients, also client-ca.crt and .key, kubelet-ca.crt and .key
${CLUSTER_USAGE}
${ROLE_USAGE}

Of several one works: the holder of the Lease kube-system/kube-controller-manager. A process that loses it ends with
status 75.`,
  async run(args, io) {
    const { values } = parseFlags(args, { identity: "string", ...CLUSTER_FLAGS, ...ROLE_FLAGS });
    const identity = identityFlag(values, ["client.crt", "client.key", "server-ca.crt"]);
    const options = {
      ...roleOptions(values, io, identity, "client"),
      identity,
      cluster: clusterFlags(values, identity),
      signing: signingKeys(identity),
    };
    const { runControllerManagerRole } = await import("../services/controller-manager/main.ts");
    return refusing(() => runControllerManagerRole(options));
  },
};
