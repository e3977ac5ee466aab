import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { TokenRequest } from "../../lib/gen/k8s/authentication/v1.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { serviceAccounts } from "../../lib/gen/k8s/resources.ts";

interface Held {
  readonly token: string;
  readonly renewAtMs: number;
}

/** A token is asked for again after this part of its life; source: KEP-1205. */
const RENEW_AT = 0.8;
const LONGEST_USE_MS = 24 * 3_600_000;

/** Tokens of service accounts, bound to their pods: `TokenRequest`, held in memory only. */
export class TokenCache {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();

  constructor(components: { api: ApiClient; clock: Clock }) {
    this.#api = components.api;
    this.#clock = components.clock;
  }

  async token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const uid = pod.metadata?.uid ?? "";
    const key = `${uid}\n${audience ?? ""}\n${expirationSeconds}`;
    const held = this.#held.get(key);
    const nowMs = this.#clock.monotonicMs();
    if (held !== undefined && nowMs < held.renewAtMs) return held.token;
    try {
      const fresh = await this.#request(pod, audience, expirationSeconds);
      this.#held.set(key, {
        token: fresh,
        renewAtMs: nowMs + Math.min(expirationSeconds * 1_000 * RENEW_AT, LONGEST_USE_MS),
      });
      return fresh;
    } catch (thrown) {
      // An old token may still be good; the next refresh tries again.
      if (held !== undefined) return held.token;
      throw thrown;
    }
  }

  forget(podUid: string): void {
    for (const key of this.#held.keys()) if (key.startsWith(`${podUid}\n`)) this.#held.delete(key);
  }

  async #request(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const { name = "", namespace = "", uid = "" } = pod.metadata ?? {};
    const request: TokenRequest = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        ...(audience === undefined || audience === "" ? {} : { audiences: [audience] }),
        expirationSeconds,
        boundObjectRef: { kind: "Pod", apiVersion: "v1", name, uid },
      },
    };
    const account = { namespace, name: pod.spec?.serviceAccountName ?? "default" };
    const answer = await this.#api.createSubresource(serviceAccounts, account, "token", request);
    const token = answer.status?.token;
    if (token === undefined) throw new Error(`no token was given for service account ${account.name}`);
    return token;
  }
}
