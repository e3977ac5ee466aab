import type { Container } from "../../lib/gen/k8s/core/v1.ts";
import type { MountSpec } from "../runtime/runtime.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { expand } from "./expand.ts";
import { ConfigError } from "./field-ref.ts";

const PROPAGATION: Readonly<Record<string, NonNullable<MountSpec["propagation"]>>> = {
  None: "private",
  HostToContainer: "host-to-container",
  Bidirectional: "bidirectional",
};

/** Where a container sees its pod's volumes. Throws ConfigError for what cannot be mounted. */
export async function volumeMountsOf(
  podUid: string,
  container: Container,
  paths: ReadonlyMap<string, string>,
  volumes: Volumes,
  environment: ReadonlyMap<string, string>,
): Promise<MountSpec[]> {
  const mounts: MountSpec[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const volumePath = paths.get(mount.name ?? "");
    if (volumePath === undefined) {
      throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    }
    const subPath = mount.subPath ?? expand(mount.subPathExpr ?? "", (name) => environment.get(name));
    const key = `${mount.name}/${container.name}/${index}`;
    mounts.push({
      containerPath: mount.mountPath ?? "",
      hostPath: subPath === "" ? volumePath : await below(volumes, podUid, key, volumePath, subPath),
      readOnly: mount.readOnly === true,
      propagation: PROPAGATION[mount.mountPropagation ?? "None"] ?? "private",
    });
  }
  return mounts;
}

async function below(volumes: Volumes, podUid: string, key: string, path: string, subPath: string): Promise<string> {
  try {
    return await volumes.subPath(podUid, key, path, subPath);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new ConfigError(`failed to prepare subPath for volumeMount "${key.split("/")[0]}": ${message}`);
  }
}
