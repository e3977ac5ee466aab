import { kindDescriptors } from "../lib/gen/k8s/descriptors.ts";
import type { IdentityFolder } from "../lib/process/identity-folder.ts";
import { loadRegistry } from "../lib/resource/registry.ts";
import { ClusterConnection, type ClusterConnectionOptions } from "../lib/role/cluster-connection.ts";
import { type RoleProcessOptions, runRole } from "../lib/role/role-process.ts";
import { CertificateRotation } from "./identity/certificate-rotation.ts";
import { NodeRole, type NodeRoleOptions } from "./node-role.ts";

export interface NodeAgentRoleOptions extends RoleProcessOptions {
  readonly identity: IdentityFolder;
  readonly cluster: ClusterConnectionOptions;
  readonly node: Omit<NodeRoleOptions, "serving">;
}

/** Runs the pods of one node until a signal; they run on after it. Resolves to the exit status. */
export function runNodeAgentRole(options: NodeAgentRoleOptions): Promise<number> {
  const { nodeName } = options.node;
  return runRole({ role: "node-agent", instance: nodeName }, options, (context) => {
    const connection = new ClusterConnection({ ...context, registry: loadRegistry(kindDescriptors) }, options.cluster);
    const { identity } = options;
    const serving = { ...identity.keyPair("server"), clientCaPem: identity.authorityPem("client") };
    const node = new NodeRole({ ...context, ...connection.components }, { ...options.node, serving });
    const rotation = new CertificateRotation(
      { ...context, api: connection.components.api, pairs: identity },
      {
        nodeName,
        ipAddresses: [options.node.nodeIp],
        renewed: (name, pair) => (name === "client" ? connection.renew(pair) : node.renewServing(pair)),
      },
    );
    void connection
      .whenReached()
      .then(() => options.announce(`node-agent of ${nodeName} follows ${options.cluster.addresses}`));
    return {
      parts: [connection, node, rotation],
      async describe() {
        const detail = (await node.problem()) || connection.problem;
        return { ready: detail === "", leading: false, detail };
      },
    };
  });
}
