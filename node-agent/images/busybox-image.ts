import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { CommandError, type RunCommand } from "../../lib/process/command.ts";
import { type TarMember, writeTar } from "./tar-archive.ts";

/** An image as one file, in OCI layout, which `docker load` and `ctr images import` read too. */
export interface BuiltImage {
  readonly name: string;
  readonly archive: Uint8Array;
  /** Digest of the manifest: depends on busybox alone. */
  readonly digest: string;
}

export const TEST_IMAGE_NAME = "localhost/keelson/web:1";
export const PAUSE_IMAGE_NAME = "localhost/keelson/pause:1";

const BUSYBOX = "/bin/busybox";
/** Debian's busybox-static is two megabytes; the dynamic one would find no libraries in an image. */
const ELF_INTERPRETER_TYPE = 3;

/**
 * Answers with its host name on port 8080. As the first process of its container it gets SIGTERM only if it handles it.
 * The page lies in /dev/shm, which can be written to also with a read-only root and by any user.
 */
const WEB_SCRIPT = `#!/bin/sh
trap 'kill "$server" 2>/dev/null; exit 0' TERM INT
port=\${PORT:-8080}
dir=/dev/shm/www-$port
mkdir -p "$dir" 2>/dev/null || { dir=/tmp/www-$port; mkdir -p "$dir"; }
hostname > "$dir/index.html"
httpd -f -v -p "$port" -h "$dir" &
server=$!
echo "listening on port $port as $(hostname)"
wait "$server"
`;

/** Holds a pod's namespaces: reaps whatever is left to it, and ends at once when told to. */
const PAUSE_SCRIPT = `#!/bin/sh
trap 'kill "$sleeper" 2>/dev/null; exit 0' TERM INT
while :; do
  sleep 2147483647 &
  sleeper=$!
  wait "$sleeper"
done
`;

/** Shell and all tools of busybox, and by default an HTTP server: `keelson image build-test`. */
export async function buildTestImage(run: RunCommand): Promise<BuiltImage> {
  const busybox = readBusybox();
  const members: TarMember[] = [
    ...directories(["bin/", "dev/", "etc/", "home/", "proc/", "root/", "sys/", "usr/", "usr/bin/", "var/"]),
    { path: "tmp/", mode: 0o1777 },
    { path: "bin/busybox", mode: 0o755, content: busybox },
    ...(await applets(run)).map((name) => ({ path: `bin/${name}`, mode: 0o777, linkTo: "busybox" })),
    { path: "bin/web", mode: 0o755, content: text(WEB_SCRIPT) },
    { path: "usr/bin/env", mode: 0o777, linkTo: "/bin/busybox" },
    ...accounts(),
    { path: "etc/nsswitch.conf", mode: 0o644, content: text("hosts: files dns\n") },
  ];
  return oneLayerImage(TEST_IMAGE_NAME, members, { Cmd: ["/bin/web"], ExposedPorts: { "8080/tcp": {} } });
}

/** The image of a pod's sandbox. */
export function buildPauseImage(): BuiltImage {
  const members: TarMember[] = [
    ...directories(["bin/", "dev/", "etc/", "proc/", "sys/"]),
    { path: "bin/busybox", mode: 0o755, content: readBusybox() },
    { path: "bin/sh", mode: 0o777, linkTo: "busybox" },
    { path: "bin/sleep", mode: 0o777, linkTo: "busybox" },
    { path: "pause", mode: 0o755, content: text(PAUSE_SCRIPT) },
    ...accounts(),
  ];
  return oneLayerImage(PAUSE_IMAGE_NAME, members, { Entrypoint: ["/pause"] });
}

function readBusybox(): Uint8Array {
  const advice = "install Debian's package busybox-static";
  if (!existsSync(BUSYBOX)) throw new Error(`there is no ${BUSYBOX}: ${advice}`);
  const bytes = readFileSync(BUSYBOX);
  if (!isStaticElf(bytes)) throw new Error(`${BUSYBOX} is not statically linked: ${advice}`);
  return bytes;
}

/** True for a 64-bit ELF program that asks for no interpreter (dynamic linker). */
function isStaticElf(bytes: Buffer): boolean {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) return false;
  const start = Number(bytes.readBigUInt64LE(32));
  const entrySize = bytes.readUInt16LE(54);
  const count = bytes.readUInt16LE(56);
  for (let i = 0; i < count; i++) {
    const at = start + i * entrySize;
    if (at + 4 > bytes.length || bytes.readUInt32LE(at) === ELF_INTERPRETER_TYPE) return false;
  }
  return true;
}

async function applets(run: RunCommand): Promise<string[]> {
  try {
    const listed = (await run([BUSYBOX, "--list"])).split("\n");
    return listed.filter((name) => /^[a-z0-9_[.-]+$/.test(name) && name !== "busybox").sort();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new Error(`${BUSYBOX} does not run on this machine`, { cause: error });
  }
}

function directories(paths: readonly string[]): TarMember[] {
  return paths.map((path) => ({ path, mode: 0o755 }));
}

function accounts(): TarMember[] {
  const passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n";
  const group = "root:x:0:\nnogroup:x:65534:\n";
  return [
    { path: "etc/passwd", mode: 0o644, content: text(passwd) },
    { path: "etc/group", mode: 0o644, content: text(group) },
  ];
}

function oneLayerImage(name: string, members: readonly TarMember[], process: Record<string, unknown>): BuiltImage {
  // Not compressed: what a compressor writes differs from version to version, and with it the digest.
  const layer = writeTar(members);
  const architecture = globalThis.process.arch === "x64" ? "amd64" : globalThis.process.arch;
  const config = json({
    created: "1970-01-01T00:00:00Z",
    architecture,
    os: "linux",
    config: { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], WorkingDir: "/", ...process },
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "keelson image" }],
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
  });
  const index = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        ...descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
        platform: { architecture, os: "linux" },
        annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.split(":").at(-1) },
      },
    ],
  });
  const legacy = json([{ Config: blobPath(config), RepoTags: [name], Layers: [blobPath(layer)] }]);
  const archive = writeTar([
    { path: "oci-layout", mode: 0o644, content: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", mode: 0o644, content: index },
    { path: "manifest.json", mode: 0o644, content: legacy },
    ...directories(["blobs/", "blobs/sha256/"]),
    ...[manifest, config, layer].map((content) => ({ path: blobPath(content), mode: 0o644, content })),
  ]);
  return { name, archive, digest: digestOf(manifest) };
}

function descriptor(mediaType: string, content: Uint8Array): Record<string, unknown> {
  return { mediaType, digest: digestOf(content), size: content.length };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

function blobPath(content: Uint8Array): string {
  return `blobs/${digestOf(content).replace(":", "/")}`;
}

function json(value: unknown): Uint8Array {
  return text(JSON.stringify(value));
}

function text(value: string): Uint8Array {
  return Buffer.from(value);
}
