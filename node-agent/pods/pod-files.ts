import { chmod, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../../lib/core/random.ts";
import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { ANNOTATIONS, type ContainerState, type MountSpec } from "../runtime/runtime.ts";
import { podUid } from "./pod-facts.ts";
import { hostnameOf } from "./sandbox-spec.ts";

/** Files that the agent itself puts into containers: /etc/hosts and the termination message. */
export interface PodFiles {
  mountsFor(pod: Pod, container: Container, podIps: readonly string[]): Promise<readonly MountSpec[]>;
  terminationMessage(container: ContainerState): Promise<string>;
}

const MESSAGE_LIMIT_BYTES = 4_096;
const HOSTS_PATH = "/etc/hosts";

export class HostPodFiles implements PodFiles {
  readonly #random: Random;
  readonly #podsDir: string;
  readonly #clusterDomain: string;

  constructor(components: { random: Random }, options: { rootDir: string; clusterDomain: string }) {
    this.#random = components.random;
    this.#podsDir = join(options.rootDir, "pods");
    this.#clusterDomain = options.clusterDomain;
  }

  async mountsFor(pod: Pod, container: Container, podIps: readonly string[]): Promise<readonly MountSpec[]> {
    const podDir = join(this.#podsDir, podUid(pod));
    const mounts: MountSpec[] = [];
    if (!(container.volumeMounts ?? []).some((mount) => mount.mountPath === HOSTS_PATH)) {
      const hostPath = join(podDir, "etc-hosts");
      await mkdir(podDir, { recursive: true, mode: 0o750 });
      await writeFile(hostPath, await this.#hostsText(pod, podIps), { mode: 0o644 });
      mounts.push({ containerPath: HOSTS_PATH, hostPath, readOnly: false });
    }
    const containerDir = join(podDir, "containers", container.name ?? "");
    await mkdir(containerDir, { recursive: true, mode: 0o750 });
    const hostPath = join(containerDir, Buffer.from(this.#random.bytes(4)).toString("hex"));
    await (await open(hostPath, "w", 0o666)).close();
    await chmod(hostPath, 0o666);
    const containerPath = container.terminationMessagePath ?? "/dev/termination-log";
    mounts.push({ containerPath, hostPath, readOnly: false });
    return mounts;
  }

  async terminationMessage(container: ContainerState): Promise<string> {
    const path = container.annotations[ANNOTATIONS.terminationMessagePath];
    const mount = container.mounts.find((each) => each.containerPath === path);
    // The file is the container's: only what this agent itself made may be read, whatever the runtime says.
    if (mount === undefined || !mount.hostPath.startsWith(`${this.#podsDir}/`)) return "";
    const file = await open(mount.hostPath, "r").catch(() => undefined);
    if (file === undefined) return "";
    try {
      const buffer = Buffer.alloc(MESSAGE_LIMIT_BYTES);
      const { bytesRead } = await file.read(buffer, 0, MESSAGE_LIMIT_BYTES, 0);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async #hostsText(pod: Pod, podIps: readonly string[]): Promise<string> {
    const aliases = (pod.spec?.hostAliases ?? []).map(
      ({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join("\t")}\n`,
    );
    const added = aliases.length === 0 ? "" : `\n# Entries added by HostAliases.\n${aliases.join("")}`;
    if (pod.spec?.hostNetwork === true) {
      const own = await readFile(HOSTS_PATH, "utf8").catch(() => "127.0.0.1\tlocalhost\n");
      return `# Kubernetes-managed hosts file (host network).\n${own}${added}`;
    }
    const hostname = hostnameOf(pod);
    const { subdomain } = pod.spec ?? {};
    const domain = `${subdomain}.${pod.metadata?.namespace}.svc.${this.#clusterDomain}`;
    const names = subdomain === undefined ? hostname : `${hostname}.${domain}\t${hostname}`;
    return `${STANDARD_HOSTS}${podIps.map((ip) => `${ip}\t${names}\n`).join("")}${added}`;
  }
}

const STANDARD_HOSTS = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

/** For simulated nodes: no files; the runtime itself says what a container left behind. */
export const noPodFiles: PodFiles = {
  async mountsFor() {
    return [];
  },
  async terminationMessage() {
    return "";
  },
};
