import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { Clock } from "../lib/core/clock.ts";
import type { Log } from "../lib/core/log.ts";
import type { Random } from "../lib/core/random.ts";
import type { RunCommand } from "../lib/process/command.ts";
import { GrpcChannel } from "../lib/transport/grpc-client.ts";
import { buildPauseImage, buildTestImage, PAUSE_IMAGE_NAME } from "./images/busybox-image.ts";
import { ImageLoader, type LoadedImage } from "./images/image-loader.ts";
import { type ByteSource, memorySource } from "./images/tar-archive.ts";
import { installPlugins } from "./network/install-plugins.ts";
import { PodNetwork } from "./network/pod-network.ts";
import { uplinkMtu } from "./network/uplink-mtu.ts";
import { ContainerdInstance, readSnapshotter } from "./runtime/cri/containerd-instance.ts";
import { unmountBelow } from "./volumes/unmount-below.ts";

const SOURCES = path.resolve(import.meta.dirname, "..");
const ID_DIGITS = 8;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

export interface ContainerNodeParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly run: RunCommand;
}

export interface ContainerNodeOptions {
  /** What stays over reboots; everything in it that is mounted is taken for this node's. */
  readonly dataDir: string;
  /** Short, unique on the machine; absent: one made of the directory's path. */
  readonly id?: string;
}

/** What a node with real containers has around its agent: CNI plugins, a containerd of its own, the sandbox image. */
export class ContainerNode {
  readonly #parts: ContainerNodeParts;
  readonly #dataDir: string;
  readonly #folder: string;
  readonly #stateDir: string;
  readonly #containerd: ContainerdInstance;
  #podNetwork: PodNetwork | undefined;

  constructor(parts: ContainerNodeParts, options: ContainerNodeOptions) {
    const { dataDir, id = idOf(options.dataDir) } = options;
    this.#parts = parts;
    this.#dataDir = dataDir;
    this.#folder = path.join(dataDir, "containerd");
    // Short, since sockets are in it, and gone after a reboot together with what it describes.
    this.#stateDir = path.join("/run/keelson", id);
    this.#containerd = new ContainerdInstance(parts, {
      config: {
        rootDir: path.join(this.#folder, "root"),
        stateDir: path.join(this.#stateDir, "containerd"),
        cniBinDir: path.join(this.#folder, "cni", "bin"),
        cniConfDir: path.join(this.#folder, "cni", "net.d"),
        sandboxImage: PAUSE_IMAGE_NAME,
      },
      logFile: path.join(this.#folder, "containerd.log"),
    });
  }

  get socketPath(): string {
    return this.#containerd.socketPath;
  }

  /** Made by `start`: the plugins as the agent itself calls them. */
  get podNetwork(): PodNetwork {
    if (this.#podNetwork === undefined) throw new Error("the node has not been started");
    return this.#podNetwork;
  }

  /** The pod network's plugins first: containerd takes their configuration for "the network is ready". */
  async start(podCidr: string): Promise<void> {
    const cni = path.join(this.#folder, "cni");
    const installation = {
      sourceDir: path.join(SOURCES, "cni-plugins"),
      binDir: path.join(cni, "bin"),
      confDir: path.join(cni, "net.d"),
      reservationsDir: path.join(cni, "addresses"),
      nodePath: process.execPath,
      compileCacheDir: path.join(SOURCES, ".cache", "compile"),
    };
    const network = { podCidr, mtu: await uplinkMtu(this.#parts.run) };
    installPlugins(installation, network);
    this.#podNetwork = new PodNetwork(this.#parts, { installation, network });
    await this.#containerd.start();
    await this.#withLoader(async (loader) => {
      if (!(await loader.has(PAUSE_IMAGE_NAME))) await loader.load(memorySource(buildPauseImage().archive));
    });
  }

  /** Ends containerd with everything that it runs, and unmounts the volumes of pods. Works from the folders alone. */
  async stop(): Promise<void> {
    await this.#containerd.stop();
    await unmountBelow(this.#parts.run, this.#dataDir);
    rmSync(this.#stateDir, { recursive: true, force: true });
    // Shared with other clusters of this machine: the last one takes it away.
    const shared = path.dirname(this.#stateDir);
    if (existsSync(shared) && readdirSync(shared).length === 0) rmdirSync(shared);
  }

  loadImages(source: ByteSource): Promise<LoadedImage[]> {
    return this.#withLoader((loader) => loader.load(source));
  }

  /** Builds the test image of busybox and loads it; resolves to its name. */
  async loadTestImage(): Promise<string> {
    const image = await buildTestImage(this.#parts.run);
    await this.loadImages(memorySource(image.archive));
    return image.name;
  }

  async #withLoader<T>(use: (loader: ImageLoader) => Promise<T>): Promise<T> {
    const channel = new GrpcChannel({ target: `unix://${this.socketPath}` });
    try {
      const architecture = ARCHITECTURES[process.arch] ?? process.arch;
      const snapshotter = readSnapshotter({ rootDir: path.join(this.#folder, "root") });
      return await use(
        new ImageLoader(
          { channel, clock: this.#parts.clock, random: this.#parts.random },
          { snapshotter, architecture },
        ),
      );
    } finally {
      channel.close();
    }
  }
}

function idOf(dataDir: string): string {
  return createHash("sha256").update(path.resolve(dataDir)).digest("hex").slice(0, ID_DIGITS);
}
