import { existsSync, readFileSync } from "node:fs";
import { type Command, parseFlags, stringFlag, UsageError } from "./command.ts";
import { DataDir } from "./data-dir.ts";

export const kubeconfigCommand: Command = {
  summary: "prints the administrator's kubeconfig",
  usage: "keelson kubeconfig [--data-dir=DIR]",
  async run(args, io) {
    const { values } = parseFlags(args, { "data-dir": "string" });
    const dataDir = DataDir.from(stringFlag(values, "data-dir"), io.env);
    dataDir.readRecord();
    if (!existsSync(dataDir.kubeconfig))
      throw new UsageError(`${dataDir.path} has no cluster: start one with "keelson up"`);
    io.out(readFileSync(dataDir.kubeconfig, "utf8"));
    return 0;
  },
};
