import { askStatus, type ClusterStatus } from "../cluster/status-server.ts";
import { runningPid } from "./cluster-process.ts";
import { type Command, type CommandIo, choiceFlag, parseFlags, stringFlag } from "./command.ts";
import { DataDir } from "./data-dir.ts";

const ASK_LIMIT_MS = 5_000;

export const statusCommand: Command = {
  summary: "says what runs and how it is",
  usage: `keelson status [--data-dir=DIR] [-o text|json]

Exit status: 0 when the cluster is ready, 1 when it is not, 3 when it does not run.`,
  async run(args, io) {
    const { values } = parseFlags(args, { "data-dir": "string", output: "string" });
    const output = choiceFlag(values, "output", ["text", "json"]) ?? "text";
    const dataDir = DataDir.from(stringFlag(values, "data-dir"), io.env);
    dataDir.readRecord();
    const pid = runningPid(dataDir);
    const status = pid === undefined ? undefined : await askStatus(dataDir.statusSocket, ASK_LIMIT_MS);
    if (output === "json") {
      io.out(`${JSON.stringify(status ?? { pid: pid ?? null, ready: false, roles: [], addresses: {} }, null, 2)}\n`);
    } else {
      printText(io, dataDir, pid, status);
    }
    if (pid === undefined) return 3;
    return status?.ready === true ? 0 : 1;
  },
};

function printText(io: CommandIo, dataDir: DataDir, pid: number | undefined, status: ClusterStatus | undefined): void {
  if (pid === undefined) {
    io.out(`no cluster runs from ${dataDir.path}\n`);
    return;
  }
  if (status === undefined) {
    io.out(`process ${pid} runs, but does not answer yet; its log: ${dataDir.logFile}\n`);
    return;
  }
  io.out(`cluster at ${dataDir.path}: ${status.ready ? "ready" : "not ready"} (pid ${pid}, ${status.runtime})\n`);
  for (const role of status.roles) {
    const detail = role.detail === "" ? "" : `  ${role.detail}`;
    io.out(`  ${role.name.padEnd(24)} ${role.health}${role.leader ? ", leads" : ""}${detail}\n`);
  }
  for (const [name, address] of Object.entries(status.addresses)) io.out(`  ${name.padEnd(24)} ${address}\n`);
}
