import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../../lib/core/clock.ts";
import { parseTimeMs } from "../../../lib/core/clock.ts";
import type { CachedReads } from "../admission/cached-reads.ts";
import { type KubeObject, textAt } from "../core/kube-object.ts";
import type { Identity } from "../core/request.ts";
import { AUTHENTICATED } from "./authorizer.ts";

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const NAMESPACE = "kube-system";
const SECRET_PREFIX = "bootstrap-token-";
const SECRET_TYPE = "bootstrap.kubernetes.io/token";
const GROUP = "system:bootstrappers";
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Tokens with which machines join, as Secrets; source of their form: k8s.io/docs/reference/access-authn-authz/bootstrap-tokens. */
export class BootstrapTokens {
  readonly #reads: CachedReads;
  readonly #clock: Clock;

  constructor(components: { reads: CachedReads; clock: Clock }) {
    this.#reads = components.reads;
    this.#clock = components.clock;
  }

  /** Who the token names; undefined when it is not good. */
  async authenticate(token: string): Promise<Identity | undefined> {
    const [, id, secret] = TOKEN.exec(token) ?? [];
    if (id === undefined || secret === undefined) return undefined;
    const object = await this.#reads.find("secrets", NAMESPACE, `${SECRET_PREFIX}${id}`);
    if (object === undefined || !this.#isGood(object, id, secret)) return undefined;
    const extra = dataAt(object, "auth-extra-groups")
      .split(",")
      .filter((group) => group !== "");
    if (!extra.every((group) => EXTRA_GROUP.test(group))) return undefined;
    return { user: `system:bootstrap:${id}`, groups: [GROUP, ...new Set(extra), AUTHENTICATED] };
  }

  #isGood(object: KubeObject, id: string, secret: string): boolean {
    if (object["type"] !== SECRET_TYPE || object.metadata?.deletionTimestamp !== undefined) return false;
    if (!sameText(dataAt(object, "token-secret"), secret) || dataAt(object, "token-id") !== id) return false;
    if (dataAt(object, "usage-bootstrap-authentication") !== "true") return false;
    const expiration = dataAt(object, "expiration");
    // A time that cannot be read is no time in the future.
    return expiration === "" || parseTimeMs(expiration) > this.#clock.nowMs();
  }
}

function dataAt(object: KubeObject, key: string): string {
  return Buffer.from(textAt(object, "data", key), "base64").toString("utf8");
}

/** Takes the same time wherever the texts differ. */
function sameText(left: string, right: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return left !== "" && timingSafeEqual(digest(left), digest(right));
}
