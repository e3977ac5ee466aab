import { createHash } from "node:crypto";
import { fullImageName } from "./image-name.ts";
import { type ByteSource, cleanPath, readTarIndex, type TarEntry } from "./tar-archive.ts";

/** A blob, by what it is and where in the archive it lies. */
export interface ArchivedBlob {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
  read(offset: number, lengthBytes: number): Promise<Uint8Array>;
}

export interface ArchivedImage {
  /** Full names; an archive may give one image several. */
  readonly names: readonly string[];
  readonly manifest: ArchivedBlob;
  readonly config: ArchivedBlob;
  /** From the lowest up. */
  readonly layers: readonly ArchivedBlob[];
  /** Digests of the layers when unpacked, in the same order. */
  readonly diffIds: readonly string[];
}

interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Archive {
  readonly source: ByteSource;
  readonly entries: ReadonlyMap<string, TarEntry>;
}

const DOCKER = "application/vnd.docker";
const JSON_BYTES_MAX = 8 * 2 ** 20;
const CHUNK_BYTES = 2 ** 20;
const INDEX_TYPES = ["application/vnd.oci.image.index.v1+json", `${DOCKER}.distribution.manifest.list.v2+json`];

/** Reads what `docker save`, `ctr images export`, `skopeo` and others write: OCI layout or docker-archive, as a tar file. */
export async function readImageArchive(source: ByteSource, architecture: string): Promise<ArchivedImage[]> {
  const archive: Archive = { source, entries: await readTarIndex(source) };
  const images = archive.entries.has("index.json")
    ? await readOciLayout(archive, architecture)
    : await readDockerArchive(archive);
  if (images.length === 0) throw new Error(`the archive has no image for linux/${architecture}`);
  return images;
}

async function readOciLayout(archive: Archive, architecture: string): Promise<ArchivedImage[]> {
  const index = (await readJson(archive, "index.json")) as { manifests?: Descriptor[] };
  const images: ArchivedImage[] = [];
  for (const descriptor of index.manifests ?? []) {
    const chosen = await choosePlatform(archive, descriptor, architecture);
    if (chosen === undefined) continue;
    const names = namesOf(descriptor.annotations ?? {}) ?? (await dockerNames(archive));
    images.push(await readManifest(archive, chosen, names));
  }
  return images;
}

/** Follows an index of platforms to the manifest for this machine. */
async function choosePlatform(
  archive: Archive,
  found: Descriptor,
  architecture: string,
): Promise<Descriptor | undefined> {
  if (!INDEX_TYPES.includes(found.mediaType ?? "")) {
    const { os = "linux", architecture: other = architecture } = found.platform ?? {};
    return os === "linux" && other === architecture ? found : undefined;
  }
  const nested = (await readJson(archive, blobPath(found.digest))) as { manifests?: Descriptor[] };
  for (const candidate of nested.manifests ?? []) {
    const chosen = await choosePlatform(archive, candidate, architecture);
    if (chosen !== undefined && archive.entries.has(blobPath(chosen.digest))) return chosen;
  }
  return undefined;
}

function namesOf(annotations: Readonly<Record<string, string>>): string[] | undefined {
  const full = annotations["io.containerd.image.name"];
  const short = annotations["org.opencontainers.image.ref.name"];
  // The short one is often a bare tag, which names nothing.
  const name = full ?? (short?.includes("/") === true || short?.includes(":") === true ? short : undefined);
  return name === undefined ? undefined : [checkedName(name)];
}

async function dockerNames(archive: Archive): Promise<string[]> {
  if (!archive.entries.has("manifest.json")) return [];
  const [only, ...more] = (await readJson(archive, "manifest.json")) as { RepoTags?: string[] | null }[];
  return more.length > 0 ? [] : (only?.RepoTags ?? []).map(checkedName);
}

async function readManifest(
  archive: Archive,
  descriptor: Descriptor,
  names: readonly string[],
): Promise<ArchivedImage> {
  const manifest = (await readJson(archive, blobPath(descriptor.digest))) as {
    config?: Descriptor;
    layers?: Descriptor[];
  };
  if (manifest.config === undefined) throw new Error(`${descriptor.digest} is not a manifest of an image`);
  const diffIds = await readDiffIds(archive, blobPath(manifest.config.digest), manifest.layers?.length ?? 0);
  return {
    names,
    manifest: blobOf(archive, descriptor),
    config: blobOf(archive, manifest.config),
    layers: (manifest.layers ?? []).map((layer) => blobOf(archive, layer)),
    diffIds,
  };
}

/** The older form has no manifest: it is made here from digests of the layer files. */
async function readDockerArchive(archive: Archive): Promise<ArchivedImage[]> {
  if (!archive.entries.has("manifest.json"))
    throw new Error("not an image archive: neither index.json nor manifest.json");
  const listed = (await readJson(archive, "manifest.json")) as {
    Config: string;
    RepoTags: string[] | null;
    Layers: string[];
  }[];
  return Promise.all(
    listed.map(async (image) => {
      const config = await describe(archive, image.Config, `${DOCKER}.container.image.v1+json`);
      const layers: ArchivedBlob[] = [];
      for (const path of image.Layers) layers.push(await describeLayer(archive, path));
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: `${DOCKER}.distribution.manifest.v2+json`,
          config: descriptorOf(config),
          layers: layers.map(descriptorOf),
        }),
      );
      const manifest: ArchivedBlob = {
        mediaType: `${DOCKER}.distribution.manifest.v2+json`,
        digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
        sizeBytes: bytes.length,
        read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
      };
      const diffIds = await readDiffIds(archive, image.Config, layers.length);
      return { names: (image.RepoTags ?? []).map(checkedName), manifest, config, layers, diffIds };
    }),
  );
}

async function readDiffIds(archive: Archive, configPath: string, layerCount: number): Promise<string[]> {
  const config = (await readJson(archive, configPath)) as { rootfs?: { diff_ids?: string[] } };
  const diffIds = config.rootfs?.diff_ids ?? [];
  if (diffIds.length !== layerCount)
    throw new Error(`${configPath} tells of ${diffIds.length} layers, the manifest of ${layerCount}`);
  return diffIds;
}

function descriptorOf(blob: ArchivedBlob): Record<string, unknown> {
  return { mediaType: blob.mediaType, size: blob.sizeBytes, digest: blob.digest };
}

function checkedName(name: string): string {
  const full = fullImageName(name);
  if (full === undefined) throw new Error(`the archive names an image ${JSON.stringify(name)}, which is no name`);
  return full;
}

function blobPath(digest: string): string {
  if (!/^sha256:[a-f0-9]{64}$/.test(digest)) throw new Error(`not a sha256 digest: ${digest}`);
  return `blobs/${digest.replace(":", "/")}`;
}

/** Symbolic links are how older archives share a layer; one step is all they use. */
function entryOf(archive: Archive, path: string): TarEntry {
  const entry = archive.entries.get(cleanPath(path));
  const isLink = entry?.type === "symlink" || entry?.type === "hardlink";
  const base =
    entry?.type === "symlink" ? new URL(entry.target, `file:///${entry.path}`).pathname : (entry?.target ?? "");
  const found = isLink ? archive.entries.get(cleanPath(base)) : entry;
  if (found?.type !== "file") throw new Error(`the archive lacks ${path}`);
  return found;
}

async function readJson(archive: Archive, path: string): Promise<unknown> {
  const entry = entryOf(archive, path);
  if (entry.sizeBytes > JSON_BYTES_MAX) throw new Error(`${path} is too large`);
  const text = new TextDecoder().decode(await archive.source.read(entry.offset, entry.sizeBytes));
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is not JSON`, { cause });
  }
}

function blobOf(archive: Archive, descriptor: Descriptor): ArchivedBlob {
  const entry = entryOf(archive, blobPath(descriptor.digest));
  if (entry.sizeBytes !== descriptor.size) throw new Error(`${entry.path} has another size than its manifest says`);
  return located(archive, entry, descriptor.mediaType ?? "", descriptor.digest);
}

function located(archive: Archive, entry: TarEntry, mediaType: string, digest: string): ArchivedBlob {
  return {
    mediaType,
    digest,
    sizeBytes: entry.sizeBytes,
    read: (offset, length) => archive.source.read(entry.offset + offset, Math.min(length, entry.sizeBytes - offset)),
  };
}

async function describeLayer(archive: Archive, path: string): Promise<ArchivedBlob> {
  const entry = entryOf(archive, path);
  const magic = await archive.source.read(entry.offset, Math.min(2, entry.sizeBytes));
  const isGzip = magic[0] === 0x1f && magic[1] === 0x8b;
  return describe(archive, path, `${DOCKER}.image.rootfs.diff.tar${isGzip ? ".gzip" : ""}`);
}

async function describe(archive: Archive, path: string, mediaType: string): Promise<ArchivedBlob> {
  const entry = entryOf(archive, path);
  const hash = createHash("sha256");
  for (let done = 0; done < entry.sizeBytes; done += CHUNK_BYTES) {
    hash.update(await archive.source.read(entry.offset + done, Math.min(CHUNK_BYTES, entry.sizeBytes - done)));
  }
  return located(archive, entry, mediaType, `sha256:${hash.digest("hex")}`);
}
