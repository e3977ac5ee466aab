import { createHash } from "node:crypto";
import { type Clock, formatTime } from "../../lib/core/clock.ts";
import type { Random } from "../../lib/core/random.ts";
import { ContentDefinition, WriteAction } from "../../lib/gen/containerd/services/content/v1/content.ts";
import { DiffDefinition } from "../../lib/gen/containerd/services/diff/v1/diff.ts";
import { ImagesDefinition } from "../../lib/gen/containerd/services/images/v1/images.ts";
import { LeasesDefinition } from "../../lib/gen/containerd/services/leases/v1/leases.ts";
import { SnapshotsDefinition } from "../../lib/gen/containerd/services/snapshots/v1/snapshots.ts";
import type { Descriptor } from "../../lib/gen/containerd/types/types.ts";
import { ImageServiceDefinition } from "../../lib/gen/runtime/v1/api.ts";
import type { GrpcChannel, ServiceClient } from "../../lib/transport/grpc-client.ts";
import { RpcError } from "../../lib/transport/rpc-error.ts";
import { type ArchivedBlob, type ArchivedImage, readImageArchive } from "./image-archive.ts";
import type { ByteSource } from "./tar-archive.ts";

export interface ImageLoaderParts {
  /** To containerd's socket, which serves its own services and CRI. */
  readonly channel: GrpcChannel;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ImageLoaderOptions {
  readonly snapshotter: string;
  /** As images name it: amd64, arm64. */
  readonly architecture: string;
}

export interface LoadedImage {
  readonly name: string;
  readonly digest: string;
  /** How much was not there before. */
  readonly movedBytes: number;
}

/** containerd's namespace in which CRI has its images. */
const NAMESPACE = "k8s.io";
const CHUNK_BYTES = 2 ** 20;
const VISIBLE_LIMIT_MS = 10_000;
const POLL_MS = 5;
/** What CRI puts on images that it takes for its own. */
const MANAGED = { "io.cri-containerd.image": "managed" };

/**
 * Brings the images of an archive into containerd through its own services: only blobs that are missing move, layers are
 * unpacked, and CRI knows the images when `load` resolves. Interrupted, it leaves nothing that containerd would keep.
 */
export class ImageLoader {
  readonly #parts: ImageLoaderParts;
  readonly #options: ImageLoaderOptions;
  readonly #content: ServiceClient<typeof ContentDefinition>;
  readonly #diff: ServiceClient<typeof DiffDefinition>;
  readonly #images: ServiceClient<typeof ImagesDefinition>;
  readonly #leases: ServiceClient<typeof LeasesDefinition>;
  readonly #snapshots: ServiceClient<typeof SnapshotsDefinition>;
  readonly #cri: ServiceClient<typeof ImageServiceDefinition>;

  constructor(parts: ImageLoaderParts, options: ImageLoaderOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#content = parts.channel.client(ContentDefinition);
    this.#diff = parts.channel.client(DiffDefinition);
    this.#images = parts.channel.client(ImagesDefinition);
    this.#leases = parts.channel.client(LeasesDefinition);
    this.#snapshots = parts.channel.client(SnapshotsDefinition);
    this.#cri = parts.channel.client(ImageServiceDefinition);
  }

  /** Loads every image of the archive; an image without a name cannot be loaded. */
  async load(source: ByteSource): Promise<LoadedImage[]> {
    const images = await readImageArchive(source, this.#options.architecture);
    if (images.some((image) => image.names.length === 0)) throw new Error("the archive has an image without a name");
    const loaded: LoadedImage[] = [];
    for (const image of images) loaded.push(...(await this.#loadOne(image)));
    return loaded;
  }

  /** True when the runtime has an image of this name. */
  async has(name: string): Promise<boolean> {
    const image = { image: name, annotations: {}, userSpecifiedImage: "", runtimeHandler: "", imageRef: "" };
    return (await this.#cri.imageStatus({ image, verbose: false })).image !== undefined;
  }

  async #loadOne(image: ArchivedImage): Promise<LoadedImage[]> {
    const lease = `keelson-load-${this.#parts.random.uuid()}`;
    const call = { metadata: { "containerd-namespace": NAMESPACE, "containerd-lease": lease } };
    const inNamespace = { metadata: { "containerd-namespace": NAMESPACE } };
    await this.#leases.create(
      { id: lease, labels: { "containerd.io/gc.expire": inOneHour(this.#parts.clock) } },
      inNamespace,
    );
    try {
      let movedBytes = 0;
      for (const layer of image.layers) movedBytes += await this.#writeBlob(layer, {}, call);
      const chainId = await this.#unpack(image, call);
      const snapshotLabel = `containerd.io/gc.ref.snapshot.${this.#options.snapshotter}`;
      movedBytes += await this.#writeBlob(image.config, chainId === "" ? {} : { [snapshotLabel]: chainId }, call);
      movedBytes += await this.#writeBlob(image.manifest, manifestLabels(image), call);
      // CRI knows an image by its config's digest as well.
      for (const name of [...image.names, image.config.digest]) await this.#register(name, image.manifest, call);
      for (const name of image.names) await this.#untilVisible(name);
      return image.names.map((name) => ({ name, digest: image.manifest.digest, movedBytes }));
    } finally {
      await this.#leases.delete({ id: lease, sync: false }, inNamespace);
    }
  }

  /** Writes the blob unless it is there; sees to its labels either way. */
  async #writeBlob(blob: ArchivedBlob, labels: Record<string, string>, call: CallMetadata): Promise<number> {
    if (await this.#hasBlob(blob, labels, call)) return 0;
    const ref = `keelson-${this.#parts.random.uuid()}-${blob.digest}`;
    const stream = this.#content.write(call);
    const answers = stream[Symbol.asyncIterator]();
    const frame = { ref, total: BigInt(blob.sizeBytes), expected: blob.digest, labels: {} };
    try {
      for (let offset = 0; offset < blob.sizeBytes; offset += CHUNK_BYTES) {
        const data = Buffer.from(await blob.read(offset, CHUNK_BYTES));
        await stream.write({ ...frame, action: WriteAction.WRITE, offset: BigInt(offset), data });
        await answers.next();
      }
      await stream.write({ ...frame, action: WriteAction.COMMIT, offset: frame.total, data: Buffer.alloc(0), labels });
      await answers.next();
      stream.end();
      return blob.sizeBytes;
    } catch (error) {
      // Another load may have been faster.
      if (hasCode(error, "ALREADY_EXISTS") && (await this.#hasBlob(blob, labels, call))) return 0;
      throw error;
    } finally {
      stream.cancel();
    }
  }

  async #hasBlob(blob: ArchivedBlob, labels: Record<string, string>, call: CallMetadata): Promise<boolean> {
    try {
      await this.#content.info({ digest: blob.digest }, call);
      const info = { digest: blob.digest, size: 0n, createdAt: undefined, updatedAt: undefined, labels };
      const updateMask = Object.keys(labels).map((label) => `labels.${label}`);
      if (updateMask.length > 0) await this.#content.update({ info, updateMask }, call);
      return true;
    } catch (error) {
      if (hasCode(error, "NOT_FOUND")) return false;
      throw error;
    }
  }

  /** Applies the layers one on another; returns the name of the topmost snapshot. */
  async #unpack(image: ArchivedImage, call: CallMetadata): Promise<string> {
    let parent = "";
    for (const [i, layer] of image.layers.entries()) {
      const diffId = image.diffIds[i] ?? "";
      const name = parent === "" ? diffId : digest(`${parent} ${diffId}`);
      if (!(await this.#hasSnapshot(name, call))) await this.#applyLayer(layer, { parent, name, diffId }, call);
      parent = name;
    }
    return parent;
  }

  async #applyLayer(
    layer: ArchivedBlob,
    chain: { parent: string; name: string; diffId: string },
    call: CallMetadata,
  ): Promise<void> {
    const { snapshotter } = this.#options;
    const key = `extract-${this.#parts.random.uuid()} ${chain.name}`;
    const { mounts } = await this.#snapshots.prepare({ snapshotter, key, parent: chain.parent, labels: {} }, call);
    try {
      const { applied } = await this.#diff.apply(
        { diff: descriptorOf(layer), mounts, payloads: {}, syncFs: false },
        call,
      );
      if (applied?.digest !== chain.diffId)
        throw new Error(`layer ${layer.digest} unpacks to another content than its image says`);
      await this.#snapshots.commit({ snapshotter, name: chain.name, key, labels: {} }, call);
    } catch (error) {
      await this.#snapshots.remove({ snapshotter, key }, call).catch(() => {});
      if (!hasCode(error, "ALREADY_EXISTS")) throw error;
    }
  }

  async #hasSnapshot(key: string, call: CallMetadata): Promise<boolean> {
    try {
      await this.#snapshots.stat({ snapshotter: this.#options.snapshotter, key }, call);
      return true;
    } catch (error) {
      if (hasCode(error, "NOT_FOUND")) return false;
      throw error;
    }
  }

  async #register(name: string, manifest: ArchivedBlob, call: CallMetadata): Promise<void> {
    const target = descriptorOf(manifest);
    const image = { name, labels: MANAGED, target, createdAt: undefined, updatedAt: undefined };
    try {
      await this.#images.create({ image, sourceDateEpoch: undefined }, call);
    } catch (error) {
      if (!hasCode(error, "ALREADY_EXISTS")) throw error;
      await this.#images.update({ image, updateMask: [], sourceDateEpoch: undefined }, call);
    }
  }

  /** CRI learns of images by events, a moment later. */
  async #untilVisible(name: string): Promise<void> {
    const { clock } = this.#parts;
    const endMs = clock.monotonicMs() + VISIBLE_LIMIT_MS;
    while (!(await this.has(name))) {
      if (clock.monotonicMs() > endMs) throw new Error(`${name} is loaded, but the runtime does not list it`);
      await clock.sleep(POLL_MS);
    }
  }
}

interface CallMetadata {
  readonly metadata: Readonly<Record<string, string>>;
}

/** containerd's garbage collection follows these from the manifest to what it needs. */
function manifestLabels(image: ArchivedImage): Record<string, string> {
  const labels: Record<string, string> = { "containerd.io/gc.ref.content.config": image.config.digest };
  for (const [i, layer] of image.layers.entries()) labels[`containerd.io/gc.ref.content.l.${i}`] = layer.digest;
  return labels;
}

function descriptorOf(blob: ArchivedBlob): Descriptor {
  return { mediaType: blob.mediaType, digest: blob.digest, size: BigInt(blob.sizeBytes), annotations: {} };
}

function digest(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

function hasCode(error: unknown, code: RpcError["code"]): boolean {
  return error instanceof RpcError && error.code === code;
}

/** A load that is killed leaves its lease; containerd drops it then by itself. */
function inOneHour(clock: Clock): string {
  return formatTime(clock.nowMs() + 3_600_000);
}
