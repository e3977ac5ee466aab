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
    const status = pid === undefined ? undefined : await askStatus(pid, ASK_LIMIT_MS);
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
  io.out(
    `cluster at ${dataDir.path}: ${status.ready ? "ready" : "not ready"} (${status.layout}, ${status.runtime}, pid ${pid})\n`,
  );
  const roles = status.roles.map((role) => [
    role.name,
    role.instance,
    role.pid === null ? "-" : String(role.pid),
    role.health,
    role.leader ? "leader" : "",
    role.detail,
  ]);
  printTable(io, [["ROLE", "INSTANCE", "PID", "HEALTH", "LEADER", ""], ...roles]);
  io.out("\n");
  printTable(io, Object.entries(status.addresses));
}

/** Each column as wide as its longest cell. */
function printTable(io: CommandIo, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
    io.out(`  ${line.trimEnd()}\n`);
  }
}
