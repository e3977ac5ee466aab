import { readFileSync, writeSync } from "node:fs";
import { answer, type Plugin } from "./plugin.ts";

/** The main of a plugin: everything is synchronous, since a plugin does one thing and ends. */
export function run(plugin: Plugin, env: Readonly<Record<string, string | undefined>>): void {
  const { exitCode, stdout, stderr } = answer(plugin, env, () => readFileSync(0, "utf8"));
  if (stderr !== "") writeAll(2, stderr);
  if (stdout !== "") writeAll(1, stdout);
  process.exitCode = exitCode;
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset);
}
