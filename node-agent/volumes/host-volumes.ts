import { chmod, chown, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseQuantity, wholeUnits } from "../../lib/core/quantity.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Pod, Volume } from "../../lib/gen/k8s/core/v1.ts";
import { writeAtomically } from "./atomic-writer.ts";
import type { Mounter } from "./mounter.ts";
import { openBelow } from "./sub-path.ts";
import type { TokenCache } from "./token-cache.ts";
import { type FileSources, filesOf } from "./volume-files.ts";
import { VolumeError, type Volumes } from "./volumes.ts";

export interface HostVolumesOptions {
  /** `<rootDir>/pods/<uid>` holds everything of a pod. */
  readonly rootDir: string;
}

/** Volumes on this machine's disk and memory, below the agent's own folder; nothing of it outlives the pod. */
export class HostVolumes implements Volumes {
  readonly #mounter: Mounter;
  readonly #random: Random;
  readonly #tokens: TokenCache;
  readonly #sources: (pod: Pod) => FileSources;
  readonly #podsDir: string;

  constructor(
    components: { mounter: Mounter; random: Random; tokens: TokenCache; sources: (pod: Pod) => FileSources },
    options: HostVolumesOptions,
  ) {
    this.#mounter = components.mounter;
    this.#random = components.random;
    this.#tokens = components.tokens;
    this.#sources = components.sources;
    this.#podsDir = join(options.rootDir, "pods");
  }

  async mount(pod: Pod): Promise<ReadonlyMap<string, string>> {
    const volumes = pod.spec?.volumes ?? [];
    const podDir = join(this.#podsDir, pod.metadata?.uid ?? "");
    await mkdir(join(podDir, "volumes"), { recursive: true, mode: 0o750 });
    const mounted = new Set(volumes.length === 0 ? [] : await this.#mounter.mounted(podDir));
    const paths = await Promise.all(
      volumes.map(async (volume): Promise<[string, string]> => {
        const name = volume.name ?? "";
        try {
          return [name, await this.#mountOne(pod, volume, podDir, mounted)];
        } catch (thrown) {
          const message = thrown instanceof Error ? thrown.message : String(thrown);
          throw new VolumeError(name, `MountVolume.SetUp failed for volume "${name}" : ${message}`, { cause: thrown });
        }
      }),
    );
    return new Map(paths);
  }

  async subPath(podUid: string, key: string, volumePath: string, subPath: string): Promise<string> {
    const target = join(this.#podsDir, podUid, "volume-subpaths", key);
    const handle = await openBelow(volumePath, subPath);
    try {
      // An earlier attempt of the container may have left its own.
      for (const path of await this.#mounter.mounted(target)) await this.#mounter.unmount(path);
      await rm(target, { recursive: true, force: true });
      if ((await handle.stat()).isDirectory()) await mkdir(target, { recursive: true, mode: 0o750 });
      else {
        await mkdir(dirname(target), { recursive: true, mode: 0o750 });
        await (await open(target, "w", 0o640)).close();
      }
      await this.#mounter.bind(`/proc/${process.pid}/fd/${handle.fd}`, target);
      return target;
    } finally {
      await handle.close();
    }
  }

  async unmount(podUid: string): Promise<void> {
    this.#tokens.forget(podUid);
    const podDir = join(this.#podsDir, podUid);
    for (const path of await this.#mounter.mounted(podDir)) await this.#mounter.unmount(path);
    // Nothing is mounted below any more, so this cannot reach beyond the pod's own files.
    await rm(podDir, { recursive: true, force: true });
  }

  async list(): Promise<readonly string[]> {
    return await readdir(this.#podsDir).catch(() => []);
  }

  async #mountOne(pod: Pod, volume: Volume, podDir: string, mounted: ReadonlySet<string>): Promise<string> {
    if (volume.hostPath !== undefined) {
      await checkHostPath(volume.hostPath.path ?? "", volume.hostPath.type ?? "");
      return volume.hostPath.path ?? "";
    }
    const groupId = pod.spec?.securityContext?.fsGroup;
    const files = await filesOf(pod, volume, this.#sources(pod));
    const path = join(podDir, "volumes", `kubernetes.io~${pluginOf(volume)}`, volume.name ?? "");
    const inMemory = isInMemory(volume);
    if (!inMemory || !mounted.has(path)) await mkdir(path, { recursive: true });
    if (inMemory && !mounted.has(path)) await this.#mounter.tmpfs(path, memoryLimitOf(volume));
    if (files !== undefined) {
      const unique = this.#random.suffix(10);
      await writeAtomically(path, files, { unique, ...(groupId === undefined ? {} : { groupId: Number(groupId) }) });
    } else {
      await chmod(path, groupId === undefined ? 0o777 : 0o2777);
      if (groupId !== undefined) await chown(path, 0, Number(groupId));
    }
    return path;
  }
}

function pluginOf(volume: Volume): string {
  if (volume.emptyDir !== undefined) return "empty-dir";
  if (volume.configMap !== undefined) return "configmap";
  if (volume.secret !== undefined) return "secret";
  if (volume.projected !== undefined) return "projected";
  if (volume.downwardAPI !== undefined) return "downward-api";
  throw new Error(`no volume plugin matched: ${Object.keys(volume).filter((key) => key !== "name")}`);
}

/** Secrets and tokens never reach a disk. */
function isInMemory(volume: Volume): boolean {
  return volume.emptyDir?.medium === "Memory" || volume.secret !== undefined || volume.projected !== undefined;
}

function memoryLimitOf(volume: Volume): number | undefined {
  const limit = volume.emptyDir?.sizeLimit;
  return limit === undefined ? undefined : Number(wholeUnits(parseQuantity(limit)));
}

async function checkHostPath(path: string, type: string): Promise<void> {
  if (path.split("/").includes("..")) throw new Error("a host path must not contain '..'");
  const found = await stat(path).catch(() => undefined);
  if (found === undefined && type === "DirectoryOrCreate") {
    await mkdir(path, { recursive: true, mode: 0o755 });
    return;
  }
  if (found === undefined && type === "FileOrCreate") {
    await (await open(path, "a", 0o644)).close();
    return;
  }
  const checks: Record<string, boolean> = {
    Directory: found?.isDirectory() === true,
    DirectoryOrCreate: found?.isDirectory() === true,
    File: found?.isFile() === true,
    FileOrCreate: found?.isFile() === true,
    Socket: found?.isSocket() === true,
    CharDevice: found?.isCharacterDevice() === true,
    BlockDevice: found?.isBlockDevice() === true,
  };
  if (type !== "" && checks[type] !== true) throw new Error(`hostPath type check failed: ${path} is not a ${type}`);
}
