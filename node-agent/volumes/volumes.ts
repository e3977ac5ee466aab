import type { Pod } from "../../lib/gen/k8s/core/v1.ts";

/** A pod's volumes on this node. */
export interface Volumes {
  /**
   * Makes what is missing and refreshes what has changed; answers where each volume is, by its name. Repeating is cheap.
   * Throws VolumeError.
   */
  mount(pod: Pod): Promise<ReadonlyMap<string, string>>;
  /** Where one mount of a container sees a part of a volume; `key` names the mount within the pod. Throws VolumeError. */
  subPath(podUid: string, key: string, volumePath: string, subPath: string): Promise<string>;
  /** Takes everything of a pod away; nothing to do is success. */
  unmount(podUid: string): Promise<void>;
  /** Uids of pods that have something here. */
  list(): Promise<readonly string[]>;
}

export class VolumeError extends Error {
  readonly volume: string;

  constructor(volume: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "VolumeError";
    this.volume = volume;
  }
}

/** For simulated nodes: nothing is ever on a disk. */
export const noVolumes: Volumes = {
  async mount(pod) {
    return new Map((pod.spec?.volumes ?? []).map(({ name = "" }) => [name, `/simulated/${name}`]));
  },
  async subPath(_podUid, _key, volumePath, subPath) {
    return `${volumePath}/${subPath}`;
  },
  async unmount() {},
  async list() {
    return [];
  },
};
