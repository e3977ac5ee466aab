import { ApiConnection, type ApiConnectionOptions } from "../../lib/client/api-connection.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { exitOnLostLeadership, type RoleProcessOptions, runRole } from "../../lib/role/role-process.ts";
import { ControllerManager } from "./controller-manager.ts";

export interface ControllerManagerRoleOptions extends RoleProcessOptions {
  readonly api: ApiConnectionOptions;
}

/** Runs the controllers, when it leads, until a signal; resolves to the exit status. */
export function runControllerManagerRole(options: ControllerManagerRoleOptions): Promise<number> {
  return runRole({ role: "controller-manager" }, options, (context) => {
    const { log, instance } = context;
    const registry = loadRegistry(kindDescriptors);
    const connection = new ApiConnection({ ...context, registry }, options.api);
    const manager = new ControllerManager(
      { ...context, registry, api: connection.api },
      { identity: instance, rootCaPem: options.api.tls.caPem, onLost: exitOnLostLeadership(log) },
    );
    void connection.whenReached().then(() => options.announce(`controller-manager follows ${options.api.addresses}`));
    return {
      parts: [connection, manager],
      describe: () => ({
        ready: connection.problem === "",
        leading: manager.leading,
        detail: connection.problem,
      }),
    };
  });
}
