import type { KeyToPath, Pod, Volume, VolumeProjection } from "../../lib/gen/k8s/core/v1.ts";
import type { ConfigSource } from "../pods/config-source.ts";
import { type FieldSources, fieldOf, resourceOf } from "../pods/field-ref.ts";
import { isSafePath, type VolumeFile } from "./atomic-writer.ts";
import type { TokenCache } from "./token-cache.ts";

export interface FileSources extends FieldSources {
  readonly config: ConfigSource;
  readonly tokens: TokenCache;
  readonly allocatable: Readonly<Record<string, string>>;
}

type Files = Map<string, VolumeFile>;
interface Item {
  readonly pod: Pod;
  readonly mode: number;
  readonly sources: FileSources;
}

const DEFAULT_MODE = 0o644;
const DEFAULT_TOKEN_SECONDS = 3_600;

/** The files of a volume that the agent writes; undefined for volumes that it does not. */
export async function filesOf(pod: Pod, volume: Volume, sources: FileSources): Promise<Files | undefined> {
  const files: Files = new Map();
  const item = (defaultMode: number | undefined): Item => ({ pod, mode: defaultMode ?? DEFAULT_MODE, sources });
  if (volume.configMap !== undefined) {
    const { name = "", optional, items, defaultMode } = volume.configMap;
    await addConfigMap(files, item(defaultMode), { name, optional, items });
  } else if (volume.secret !== undefined) {
    const { secretName = "", optional, items, defaultMode } = volume.secret;
    await addSecret(files, item(defaultMode), { name: secretName, optional, items });
  } else if (volume.downwardAPI !== undefined) {
    addDownward(files, item(volume.downwardAPI.defaultMode), volume.downwardAPI.items ?? []);
  } else if (volume.projected !== undefined) {
    const shared = item(volume.projected.defaultMode);
    for (const source of volume.projected.sources ?? []) await addProjection(files, shared, source);
  } else return undefined;
  for (const path of files.keys()) if (!isSafePath(path)) throw new Error(`the path "${path}" leaves its volume`);
  return files;
}

async function addProjection(files: Files, item: Item, source: VolumeProjection): Promise<void> {
  if (source.configMap !== undefined) {
    const { name = "", optional, items } = source.configMap;
    await addConfigMap(files, item, { name, optional, items });
  }
  if (source.secret !== undefined) {
    const { name = "", optional, items } = source.secret;
    await addSecret(files, item, { name, optional, items });
  }
  if (source.downwardAPI !== undefined) addDownward(files, item, source.downwardAPI.items ?? []);
  if (source.serviceAccountToken !== undefined) {
    const { path = "", audience, expirationSeconds } = source.serviceAccountToken;
    const seconds = Number(expirationSeconds ?? DEFAULT_TOKEN_SECONDS);
    const token = await item.sources.tokens.token(item.pod, audience, seconds);
    files.set(path, { data: Buffer.from(token), mode: item.mode });
  }
}

/** What a volume takes of a ConfigMap or a Secret. */
interface Wanted {
  readonly name: string;
  readonly optional: boolean | undefined;
  readonly items: readonly KeyToPath[] | undefined;
}

async function addConfigMap(files: Files, item: Item, wanted: Wanted): Promise<void> {
  const map = await item.sources.config.configMap(item.pod.metadata?.namespace ?? "", wanted.name);
  if (map === undefined && wanted.optional !== true) throw new Error(`configmap "${wanted.name}" not found`);
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(map?.data ?? {})) data.set(key, Buffer.from(text));
  for (const [key, text] of Object.entries(map?.binaryData ?? {})) data.set(key, Buffer.from(text, "base64"));
  addKeys(files, item, data, wanted, "configmap references non-existent config key");
}

async function addSecret(files: Files, item: Item, wanted: Wanted): Promise<void> {
  const secret = await item.sources.config.secret(item.pod.metadata?.namespace ?? "", wanted.name);
  if (secret === undefined && wanted.optional !== true) throw new Error(`secret "${wanted.name}" not found`);
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(secret?.data ?? {})) data.set(key, Buffer.from(text, "base64"));
  addKeys(files, item, data, wanted, "references non-existent secret key");
}

function addKeys(
  files: Files,
  item: Item,
  data: ReadonlyMap<string, Uint8Array>,
  { items, optional }: Wanted,
  missing: string,
): void {
  if (items === undefined || items.length === 0) {
    for (const [key, bytes] of data) files.set(key, { data: bytes, mode: item.mode });
    return;
  }
  for (const { key = "", path = "", mode } of items) {
    const bytes = data.get(key);
    if (bytes === undefined && optional !== true) throw new Error(`${missing}: ${key}`);
    if (bytes !== undefined) files.set(path, { data: bytes, mode: mode ?? item.mode });
  }
}

type DownwardItem = NonNullable<NonNullable<Volume["downwardAPI"]>["items"]>[number];

function addDownward(files: Files, item: Item, items: readonly DownwardItem[]): void {
  for (const { path = "", fieldRef, resourceFieldRef, mode } of items) {
    let text = "";
    if (fieldRef !== undefined) text = fieldOf(item.pod, fieldRef.fieldPath ?? "", item.sources);
    else if (resourceFieldRef !== undefined) {
      const { containerName, resource = "", divisor } = resourceFieldRef;
      const all = [...(item.pod.spec?.initContainers ?? []), ...(item.pod.spec?.containers ?? [])];
      const container = all.find((each) => each.name === containerName);
      if (container === undefined) throw new Error(`container ${containerName} not found`);
      text = resourceOf(container, resource, divisor, item.sources.allocatable);
    }
    files.set(path, { data: Buffer.from(text), mode: mode ?? item.mode });
  }
}
