import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { ImageCredentials } from "../runtime/runtime.ts";
import type { ConfigSource } from "./config-source.ts";

/** What the pod's `imagePullSecrets` hold for the image's registry. Secrets that are missing or not readable are passed over. */
export async function credentialsFor(pod: Pod, image: string, config: ConfigSource): Promise<ImageCredentials[]> {
  const found: ImageCredentials[] = [];
  for (const { name = "" } of pod.spec?.imagePullSecrets ?? []) {
    const secret = await config.secret(pod.metadata?.namespace ?? "", name);
    const text = secret?.data?.[".dockerconfigjson"];
    if (text !== undefined) found.push(...parse(Buffer.from(text, "base64").toString("utf8"), registryOf(image)));
  }
  return found;
}

function parse(text: string, registry: string): ImageCredentials[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return [];
  }
  const auths = isRecord(document) && isRecord(document["auths"]) ? document["auths"] : {};
  return Object.entries(auths).flatMap(([server, entry]) => {
    if (!isRecord(entry) || hostOf(server) !== registry) return [];
    const [user = "", ...rest] = Buffer.from(textOf(entry["auth"]), "base64").toString("utf8").split(":");
    const username = textOf(entry["username"]) || user;
    return [{ username, password: textOf(entry["password"]) || rest.join(":") }];
  });
}

/** The first part of a reference when it names a host; otherwise the default registry. */
export function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const isHost = rest.length > 0 && (first.includes(".") || first.includes(":") || first === "localhost");
  return isHost ? first : "docker.io";
}

function hostOf(server: string): string {
  const host = server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return host === "index.docker.io" ? "docker.io" : host;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
