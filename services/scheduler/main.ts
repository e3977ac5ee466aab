import type { KeyPair } from "../../lib/core/key-pair.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { SchedulerDefinition } from "../../lib/gen/keelson/scheduler/v1/scheduler.ts";
import { CertificateWatch } from "../../lib/process/certificate-watch.ts";
import type { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { ClusterConnection, type ClusterConnectionOptions } from "../../lib/role/cluster-connection.ts";
import type { RoleMetrics } from "../../lib/role/role-metrics.ts";
import { exitOnLostLeadership, type RoleProcessOptions, runRole } from "../../lib/role/role-process.ts";
import { Scheduler } from "./scheduler.ts";
import { noSchedulerMetrics, type SchedulerMetrics } from "./scheduler-metrics.ts";
import { schedulerService } from "./scheduler-service.ts";

export interface SchedulerRoleOptions extends RoleProcessOptions {
  /** Whose client certificate is taken over when it is renewed. */
  readonly identity: IdentityFolder;
  readonly cluster: ClusterConnectionOptions;
}

const DEFAULT_SCHEDULER = "default-scheduler";

/** Schedules, when it leads, until a signal; resolves to the exit status. */
export function runSchedulerRole(options: SchedulerRoleOptions): Promise<number> {
  return runRole({ role: "scheduler" }, options, async (context) => {
    const { log, instance, metrics } = context;
    const connection = new ClusterConnection({ ...context, registry: loadRegistry(kindDescriptors) }, options.cluster);
    const scheduler = new Scheduler(
      {
        ...context,
        ...connection.components,
        metrics: await schedulerMetrics(metrics),
      },
      { identity: instance, onLost: exitOnLostLeadership(log) },
    );
    metrics?.leadership("kube-scheduler", () => scheduler.leading);
    const renewed = (pair: KeyPair) => connection.renew(pair);
    const renewal = new CertificateWatch({ ...context, identity: options.identity, renewed }, "client");
    void connection.whenReached().then(() => options.announce(`scheduler follows ${options.cluster.addresses}`));
    return {
      addServices: (server) => server.addService(SchedulerDefinition, schedulerService(scheduler)),
      parts: [connection, scheduler, renewal],
      describe: () => ({
        ready: connection.problem === "",
        leading: scheduler.leading,
        detail: connection.problem,
      }),
    };
  });
}

async function schedulerMetrics(metrics: RoleMetrics | undefined): Promise<SchedulerMetrics> {
  if (metrics === undefined) return noSchedulerMetrics;
  const { prometheusMetrics } = await import("./prometheus-metrics.ts");
  return prometheusMetrics(metrics.registry, DEFAULT_SCHEDULER);
}
