import type { Container } from "../../lib/gen/k8s/core/v1.ts";
import type { MountSpec } from "../runtime/runtime.ts";
import { ConfigError } from "./field-ref.ts";

const PROPAGATION: Readonly<Record<string, NonNullable<MountSpec["propagation"]>>> = {
  None: "private",
  HostToContainer: "host-to-container",
  Bidirectional: "bidirectional",
};

/** Where a container sees its pod's volumes. Throws ConfigError for what cannot be mounted. */
export function volumeMountsOf(container: Container, volumes: ReadonlyMap<string, string>): MountSpec[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const hostPath = volumes.get(mount.name ?? "");
    if (hostPath === undefined)
      throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    if (mount.subPath !== undefined || mount.subPathExpr !== undefined)
      throw new ConfigError(`volume "${mount.name}": subPath is not supported by this node yet`);
    return {
      containerPath: mount.mountPath ?? "",
      hostPath,
      readOnly: mount.readOnly === true,
      propagation: PROPAGATION[mount.mountPropagation ?? "None"] ?? "private",
    };
  });
}
