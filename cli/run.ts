import { type Command, UsageError } from "./command.ts";

/** Roles that run as a process of their own. */
const ROLES: Readonly<Record<string, () => Promise<Command>>> = {
  "all-in-one": async () => (await import("./run-all-in-one.ts")).runAllInOneCommand,
  split: async () => (await import("./run-split.ts")).runSplitCommand,
  store: async () => (await import("./run-store.ts")).runStoreCommand,
  "api-server": async () => (await import("./run-api-server.ts")).runApiServerCommand,
  scheduler: async () => (await import("./run-scheduler.ts")).runSchedulerCommand,
  "controller-manager": async () => (await import("./run-controller-manager.ts")).runControllerManagerCommand,
  "node-agent": async () => (await import("./run-node-agent.ts")).runNodeAgentCommand,
};

export const runCommand: Command = {
  summary: "runs one role in the foreground",
  usage: `keelson run ROLE [flags]

  ROLE  ${Object.keys(ROLES).join(", ")}; "keelson run ROLE --help" says more`,
  async run(args, io) {
    const [role, ...rest] = args;
    const load = role !== undefined && Object.hasOwn(ROLES, role) ? ROLES[role] : undefined;
    if (load === undefined) throw new UsageError(`run needs a role: ${Object.keys(ROLES).join(", ")}`);
    const command = await load();
    if (rest.includes("--help")) {
      io.out(`${command.summary}\n\n${command.usage}\n`);
      return 0;
    }
    return command.run(rest, io);
  },
};
