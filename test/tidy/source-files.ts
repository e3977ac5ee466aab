import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export const ROOT = path.resolve(import.meta.dirname, "..", "..");

const SOURCE_FOLDERS = ["lib", "services", "node-agent", "cni-plugins", "cluster", "cli", "proto", "test", "bench"];

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every TypeScript file of ours; planted violations aside. */
export function sourceFiles(): SourceFile[] {
  const files: SourceFile[] = [];
  for (const folder of SOURCE_FOLDERS) {
    for (const entry of listFiles(path.join(ROOT, folder))) {
      const relative = path.relative(ROOT, entry);
      if (!relative.endsWith(".ts") || relative.includes("/planted/") || relative.startsWith("test/tidy/planted"))
        continue;
      files.push({ path: relative, text: readFileSync(entry, "utf8") });
    }
  }
  return files;
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

/** Module names that a file imports, dynamic imports and type imports included. */
export function importsOf(text: string): string[] {
  const found: string[] = [];
  for (const match of text.matchAll(
    /(?:^|[\s;])(?:import|export)\s[^"';]*?from\s*["']([^"']+)["']|import\s*\(?\s*["']([^"']+)["']/g,
  )) {
    const name = match[1] ?? match[2];
    if (name !== undefined) found.push(name);
  }
  return found;
}
