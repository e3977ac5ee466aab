import type { KeyPair } from "../../lib/core/key-pair.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { CertificateWatch } from "../../lib/process/certificate-watch.ts";
import type { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { ClusterConnection, type ClusterConnectionOptions } from "../../lib/role/cluster-connection.ts";
import { exitOnLostLeadership, type RoleProcessOptions, runRole } from "../../lib/role/role-process.ts";
import { ControllerManager } from "./controller-manager.ts";
import type { SigningKeys } from "./manager-context.ts";

export interface ControllerManagerRoleOptions extends RoleProcessOptions {
  /** Whose client certificate is taken over when it is renewed. */
  readonly identity: IdentityFolder;
  readonly cluster: ClusterConnectionOptions;
  /** Authorities that it may sign with. */
  readonly signing?: SigningKeys;
}

/** Runs the controllers, when it leads, until a signal; resolves to the exit status. */
export function runControllerManagerRole(options: ControllerManagerRoleOptions): Promise<number> {
  return runRole({ role: "controller-manager" }, options, (context) => {
    const { metrics, ...parts } = context;
    const { log, instance } = parts;
    const registry = loadRegistry(kindDescriptors);
    const connection = new ClusterConnection({ ...context, registry }, options.cluster);
    const manager = new ControllerManager(
      { ...parts, registry, ...connection.components, ...(metrics === undefined ? {} : { metrics: metrics.queues }) },
      {
        identity: instance,
        rootCaPem: options.cluster.tls.caPem,
        signing: options.signing ?? {},
        onLost: exitOnLostLeadership(log),
      },
    );
    metrics?.leadership("kube-controller-manager", () => manager.leading);
    const renewed = (pair: KeyPair) => connection.renew(pair);
    const renewal = new CertificateWatch({ ...context, identity: options.identity, renewed }, "client");
    void connection
      .whenReached()
      .then(() => options.announce(`controller-manager follows ${options.cluster.addresses}`));
    return {
      parts: [connection, manager, renewal],
      describe: () => ({
        ready: connection.problem === "",
        leading: manager.leading,
        detail: connection.problem,
      }),
    };
  });
}
