import type { Clock } from "../../../lib/core/clock.ts";
import type { Random } from "../../../lib/core/random.ts";
import { isRecord, type KubeObject, listAt, structAt, textAt } from "../core/kube-object.ts";
import { type AdmissionPlugin, type AdmissionRequest, isFor, refused } from "./admission.ts";
import type { CachedReads } from "./cached-reads.ts";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX = "kube-api-access-";
/** An hour and a little, so that a token renewed at four fifths of its life never lapses. */
const TOKEN_SECONDS = 3607;
const DEFAULT_ACCOUNT = "default";
const DEFAULT_ACCOUNT_ATTEMPTS = 10;
const ATTEMPT_INTERVAL_MS = 100;
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

/** Source of behaviour: kubernetes/kubernetes:plugin/pkg/admission/serviceaccount, KEP-1205. */
export class ServiceAccountAdmission implements AdmissionPlugin {
  readonly name = "ServiceAccount";
  readonly #reads: CachedReads;
  readonly #random: Random;
  readonly #clock: Clock;

  constructor(components: { reads: CachedReads; random: Random; clock: Clock }) {
    this.#reads = components.reads;
    this.#random = components.random;
    this.#clock = components.clock;
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    const pod = request.object;
    if (request.operation !== "CREATE" || pod === undefined || !isFor(request, "", "pods")) return;
    if (pod.metadata?.annotations?.[MIRROR_ANNOTATION] !== undefined) {
      if (textAt(pod, "spec", "serviceAccountName") !== "") {
        throw refused(request, "a mirror pod may not reference service accounts");
      }
      return;
    }
    const spec = structAt(pod, "spec");
    const name = textAt(pod, "spec", "serviceAccountName") || DEFAULT_ACCOUNT;
    spec["serviceAccountName"] = name;
    spec["serviceAccount"] = name;
    const account = await this.#account(request, name);
    if (account === undefined) {
      const why = `error looking up service account ${request.target.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`;
      throw refused(request, why);
    }
    const wants = spec["automountServiceAccountToken"] ?? account["automountServiceAccountToken"];
    if (wants !== false) this.#mountToken(spec);
    if (listAt(pod, "spec", "imagePullSecrets").length === 0 && account["imagePullSecrets"] !== undefined) {
      spec["imagePullSecrets"] = listAt(account, "imagePullSecrets").map((reference) => ({ ...reference }));
    }
  }

  /** A controller makes the default account a moment after its namespace; that moment is waited for. */
  async #account(request: AdmissionRequest, name: string): Promise<KubeObject | undefined> {
    const { namespace } = request.target;
    const attempts = name === DEFAULT_ACCOUNT ? DEFAULT_ACCOUNT_ATTEMPTS : 1;
    const intervalMs = ATTEMPT_INTERVAL_MS * (1 + this.#random.float());
    for (let attempt = 1; ; attempt++) {
      const account = await this.#reads.find("serviceaccounts", namespace, name);
      if (account !== undefined || attempt >= attempts) return account;
      await this.#clock.sleep(intervalMs, request.call.signal);
    }
  }

  #mountToken(spec: Record<string, unknown>): void {
    const volumes = [...listAt(spec, "volumes")];
    const present = volumes.find((volume) => textAt(volume, "name").startsWith(VOLUME_PREFIX));
    const volumeName = present === undefined ? `${VOLUME_PREFIX}${this.#random.suffix(5)}` : textAt(present, "name");
    let mounted = false;
    for (const list of ["initContainers", "containers"]) {
      for (const container of listAt(spec, list)) {
        const mounts = listAt(container, "volumeMounts");
        if (mounts.some((mount) => mount["mountPath"] === MOUNT_PATH)) continue;
        const mount = { name: volumeName, readOnly: true, mountPath: MOUNT_PATH };
        if (isRecord(container)) container["volumeMounts"] = [...mounts, mount];
        mounted = true;
      }
    }
    if (mounted && present === undefined) spec["volumes"] = [...volumes, tokenVolume(volumeName)];
  }
}

function tokenVolume(name: string): Record<string, unknown> {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    },
  };
}
