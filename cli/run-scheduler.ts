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

export const runSchedulerCommand: Command = {
  summary: "binds pods to nodes",
  usage: `keelson run scheduler --identity=DIR --api-server=HOST:PORT[,HOST:PORT...] [--nats=HOST:PORT,...]

  --identity=DIR          client.crt, client.key, server-ca.crt
${CLUSTER_USAGE}
${ROLE_USAGE}

Of several one works: the holder of the Lease kube-system/kube-scheduler. A process that loses it ends with status 75.`,
  async run(args, io) {
    const { values } = parseFlags(args, { identity: "string", ...CLUSTER_FLAGS, ...ROLE_FLAGS });
    const identity = identityFlag(values, ["client.crt", "client.key", "server-ca.crt"]);
    const options = {
      ...roleOptions(values, io, identity, "client"),
      identity,
      cluster: clusterFlags(values, identity),
    };
    const { runSchedulerRole } = await import("../services/scheduler/main.ts");
    return refusing(() => runSchedulerRole(options));
  },
};
