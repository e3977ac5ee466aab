import { type Command, type CommandIo, UsageError } from "./command.ts";

/** In the order of `keelson help`; a command's module is loaded when it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import("./up.ts")).upCommand,
  down: async () => (await import("./down.ts")).downCommand,
  status: async () => (await import("./status.ts")).statusCommand,
  kubeconfig: async () => (await import("./kubeconfig.ts")).kubeconfigCommand,
  logs: async () => (await import("./logs.ts")).logsCommand,
  image: async () => (await import("./image.ts")).imageCommand,
  convert: async () => (await import("./convert.ts")).convertCommand,
  store: async () => (await import("./store.ts")).storeCommand,
  pki: async () => (await import("./pki.ts")).pkiCommand,
  token: async () => (await import("./token.ts")).tokenCommand,
  node: async () => (await import("./node.ts")).nodeCommand,
  run: async () => (await import("./run.ts")).runCommand,
  version: async () => (await import("./version.ts")).versionCommand,
};

async function main(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    io.out(await overview());
    return name === undefined ? 2 : 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined)
    throw new UsageError(`no command is called ${JSON.stringify(name)}; "keelson help" lists them`);
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) {
    io.out(`${command.summary}\n\n${command.usage}\n`);
    return 0;
  }
  return command.run(rest, io);
}

async function overview(): Promise<string> {
  const lines = ["keelson: a Kubernetes-compatible control plane and node", ""];
  for (const [name, load] of Object.entries(COMMANDS)) lines.push(`  ${name.padEnd(12)} ${(await load()).summary}`);
  return `${lines.join("\n")}\n\n"keelson COMMAND --help" says more. Every command takes --data-dir=DIR to say which cluster.\n`;
}

/** As a shell reports SIGPIPE. */
const READER_GONE = 141;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read our output has gone (`keelson logs -f | head`): the end, but no reason for a stack.
  if (error.code === "EPIPE") process.exit(READER_GONE);
  throw error;
});

const io: CommandIo = {
  stdin: process.stdin,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
};
try {
  process.exitCode = await main(process.argv.slice(2), io);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  io.err(`keelson: ${error.message}\n`);
  process.exitCode = 2;
}
