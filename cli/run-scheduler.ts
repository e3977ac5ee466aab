import { type Command, parseFlags, refusing } from "./command.ts";
import { apiFlags, identityFlag, ROLE_FLAGS, ROLE_USAGE, roleOptions } from "./role-flags.ts";

export const runSchedulerCommand: Command = {
  summary: "binds pods to nodes",
  usage: `keelson run scheduler --identity=DIR --api-server=HOST:PORT[,HOST:PORT...]

  --identity=DIR          client.crt, client.key, server-ca.crt
  --api-server=LIST       gRPC addresses of the api-servers; one is used at a time
${ROLE_USAGE}

Of several one works: the holder of the Lease kube-system/kube-scheduler. A process that loses it ends with status 75.`,
  async run(args, io) {
    const { values } = parseFlags(args, { identity: "string", "api-server": "string", ...ROLE_FLAGS });
    const identity = identityFlag(values, ["client.crt", "client.key", "server-ca.crt"]);
    const options = { ...roleOptions(values, io, identity, "client"), api: apiFlags(values, identity) };
    const { runSchedulerRole } = await import("../services/scheduler/main.ts");
    return refusing(() => runSchedulerRole(options));
  },
};
