/** Folders and choices of one containerd of our own. */
export interface ContainerdConfig {
  /** Images and snapshots: kept. */
  readonly rootDir: string;
  /** Sockets, mounts and what containers need while they run: gone with them. */
  readonly stateDir: string;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** Reference of the image that holds a pod's namespaces. */
  readonly sandboxImage: string;
  readonly snapshotter: "overlayfs" | "native";
}

/** Longest path of a unix socket (sun_path), without its final zero. */
const SOCKET_PATH_LENGTH_MAX = 107;
/** containerd's shims make sockets in /run/containerd/s, whatever the instance's folders are. */
const SOCKET_NAME = "containerd.sock";

/** Plugins of containerd that nobody asks for here; each costs time at start. */
const DISABLED_PLUGINS = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.restart",
];

export function socketPath(config: Pick<ContainerdConfig, "stateDir">): string {
  const path = `${config.stateDir}/${SOCKET_NAME}`;
  // Its ttrpc socket has a name that is six characters longer.
  const longest = `${path}.ttrpc`;
  if (Buffer.byteLength(longest) > SOCKET_PATH_LENGTH_MAX) {
    throw new Error(
      `${longest} is too long for a socket (at most ${SOCKET_PATH_LENGTH_MAX} bytes): choose a shorter data directory`,
    );
  }
  return path;
}

/**
 * The configuration file, version 2 (containerd 1.6 and 1.7; 2.x reads it too). `disable_apparmor`: not every machine has
 * the profile loader. `restrict_oom_score_adj`: without CAP_SYS_RESOURCE scores can only rise. Unprivileged ports and ping, and
 * the folders that tell of mirrors of registries, are what containerd 2 has by default and people expect.
 */
export function containerdToml(config: ContainerdConfig): string {
  const text = (value: string): string => JSON.stringify(value);
  return `version = 2
root = ${text(config.rootDir)}
state = ${text(config.stateDir)}
disabled_plugins = [${DISABLED_PLUGINS.map(text).join(", ")}]

[grpc]
  address = ${text(socketPath(config))}

[ttrpc]
  address = ${text(`${socketPath(config)}.ttrpc`)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(config.sandboxImage)}
  restrict_oom_score_adj = true
  disable_apparmor = true
  max_container_log_line_size = 16384
  netns_mounts_under_state_dir = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${text(config.cniBinDir)}
    conf_dir = ${text(config.cniConfDir)}
    max_conf_num = 1

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = ${text(config.snapshotter)}
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = ${text(`${config.stateDir}/runc`)}
`;
}
