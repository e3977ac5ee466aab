import { isRecord, type KubeObject } from "../core/kube-object.ts";

/** What a pod or a volume makes its node read, as `secrets/namespace/name`, `configmaps/…`, `persistentvolumeclaims/…`. */
export type References = ReadonlySet<string>;

const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
const CONTAINERS = ["initContainers", "containers", "ephemeralContainers"];
/** Where a pod names a Secret, and so on; `*` is every element of a list. */
const POD_PATHS: readonly (readonly [resource: string, paths: readonly string[]])[] = [
  [
    "secrets",
    [
      "imagePullSecrets.*.name",
      ...CONTAINERS.flatMap((list) => [
        `${list}.*.env.*.valueFrom.secretKeyRef.name`,
        `${list}.*.envFrom.*.secretRef.name`,
      ]),
      "volumes.*.secret.secretName",
      "volumes.*.projected.sources.*.secret.name",
      "volumes.*.azureFile.secretName",
      "volumes.*.csi.nodePublishSecretRef.name",
      ...["cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"].map(
        (source) => `volumes.*.${source}.secretRef.name`,
      ),
    ],
  ],
  [
    "configmaps",
    [
      ...CONTAINERS.flatMap((list) => [
        `${list}.*.env.*.valueFrom.configMapKeyRef.name`,
        `${list}.*.envFrom.*.configMapRef.name`,
      ]),
      "volumes.*.configMap.name",
      "volumes.*.projected.sources.*.configMap.name",
    ],
  ],
  ["persistentvolumeclaims", ["volumes.*.persistentVolumeClaim.claimName"]],
  ["serviceaccounts", ["serviceAccountName"]],
];
/** Secrets of a volume say their namespace; those of Azure files and old drivers are in the claim's. */
const VOLUME_SECRETS = [
  ...[
    "controllerExpandSecretRef",
    "controllerPublishSecretRef",
    "nodeExpandSecretRef",
    "nodePublishSecretRef",
    "nodeStageSecretRef",
  ].map((reference) => `csi.${reference}`),
  ...["cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"].map((source) => `${source}.secretRef`),
];

const known = new WeakMap<KubeObject, References>();

/** A mirror pod refers to nothing: its node makes it, and would give itself what it likes. */
export function podReferences(pod: KubeObject): References {
  const present = known.get(pod);
  if (present !== undefined) return present;
  const references = new Set<string>();
  known.set(pod, references);
  if (pod.metadata?.annotations?.[MIRROR_ANNOTATION] !== undefined) return references;
  const namespace = pod.metadata?.namespace ?? "";
  for (const [resource, paths] of POD_PATHS) {
    for (const path of paths) {
      for (const name of textsAt(pod["spec"], path.split("."))) references.add(`${resource}/${namespace}/${name}`);
    }
  }
  for (const volume of valuesAt(pod["spec"], ["volumes", "*"])) {
    if (!isRecord(volume) || volume["ephemeral"] === undefined) continue;
    references.add(`persistentvolumeclaims/${namespace}/${pod.metadata?.name}-${String(volume["name"])}`);
  }
  return references;
}

/** The Secrets that mounting a PersistentVolume takes, for a claim in `claimNamespace`. */
export function volumeSecrets(volume: KubeObject, claimNamespace: string): References {
  const references = new Set<string>();
  for (const path of VOLUME_SECRETS) {
    for (const reference of valuesAt(volume["spec"], path.split("."))) {
      if (!isRecord(reference)) continue;
      references.add(`secrets/${String(reference["namespace"] ?? claimNamespace)}/${String(reference["name"])}`);
    }
  }
  return references;
}

function textsAt(value: unknown, path: readonly string[]): string[] {
  return valuesAt(value, path).filter((found): found is string => typeof found === "string" && found !== "");
}

function valuesAt(value: unknown, path: readonly string[]): unknown[] {
  const [member, ...rest] = path;
  if (member === undefined) return value === undefined ? [] : [value];
  if (member === "*") return Array.isArray(value) ? value.flatMap((element) => valuesAt(element, rest)) : [];
  return isRecord(value) && Object.hasOwn(value, member) ? valuesAt(value[member], rest) : [];
}
