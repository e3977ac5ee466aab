import { readFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "./command.ts";

export const versionCommand: Command = {
  summary: "prints the version",
  usage: "keelson version",
  async run(_args, io) {
    const manifest = readFileSync(path.resolve(import.meta.dirname, "..", "package.json"), "utf8");
    io.out(`keelson ${(JSON.parse(manifest) as { version: string }).version}\n`);
    return 0;
  },
};
