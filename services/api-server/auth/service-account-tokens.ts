import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { JWTPayload } from "jose";
import type { Clock } from "../../../lib/core/clock.ts";
import type { Random } from "../../../lib/core/random.ts";
import type { CachedReads } from "../admission/cached-reads.ts";
import { isRecord, textAt } from "../core/kube-object.ts";
import type { Identity } from "../core/request.ts";
import { AUTHENTICATED } from "./authorizer.ts";

export interface TokenKeys {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
  /** Also the audience of the API itself. */
  readonly issuer: string;
}

/** What a token is bound to; it dies with each of them. */
export interface TokenSubject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly node?: { readonly name: string; readonly uid: string };
}

/** How long a verified token is believed without another look. */
const BELIEF_MS = 10_000;
const BELIEF_LIMIT = 10_000;
/** Clocks of machines differ a little. */
const CLOCK_TOLERANCE_SECONDS = 10;
const PREFIX = "system:serviceaccount:";

/** Signs and verifies the bound tokens of service accounts; source of the claims: KEP-1205, KEP-4193. */
export class ServiceAccountTokens {
  readonly #keys: TokenKeys;
  readonly #reads: CachedReads;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #algorithm: string;
  readonly #keyId: string;
  readonly #believed = new Map<string, { identity: Identity; untilMs: number }>();

  constructor(components: { reads: CachedReads; clock: Clock; random: Random }, keys: TokenKeys) {
    this.#reads = components.reads;
    this.#clock = components.clock;
    this.#random = components.random;
    this.#keys = keys;
    this.#privateKey = createPrivateKey(keys.privateKeyPem);
    this.#publicKey = createPublicKey(keys.publicKeyPem);
    this.#algorithm = this.#publicKey.asymmetricKeyType === "rsa" ? "RS256" : "ES256";
    const der = this.#publicKey.export({ type: "spki", format: "der" });
    this.#keyId = createHash("sha256").update(der).digest("base64url");
  }

  get apiAudience(): string {
    return this.#keys.issuer;
  }

  async sign(subject: TokenSubject, audiences: readonly string[], lifeSeconds: number): Promise<string> {
    const nowSeconds = Math.floor(this.#clock.nowMs() / 1000);
    const claims: JWTPayload = {
      aud: [...audiences],
      exp: nowSeconds + lifeSeconds,
      iat: nowSeconds,
      iss: this.#keys.issuer,
      jti: this.#random.uuid(),
      "kubernetes.io": {
        namespace: subject.namespace,
        ...(subject.node === undefined ? {} : { node: subject.node }),
        ...(subject.pod === undefined ? {} : { pod: subject.pod }),
        serviceaccount: { name: subject.name, uid: subject.uid },
      },
      nbf: nowSeconds,
      sub: `${PREFIX}${subject.namespace}:${subject.name}`,
    };
    const { SignJWT } = await import("jose");
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: this.#algorithm, kid: this.#keyId })
      .sign(this.#privateKey);
  }

  /** Who a token for the API names; undefined when it is not good. */
  async authenticate(token: string): Promise<Identity | undefined> {
    const digest = createHash("sha256").update(token).digest("base64");
    const known = this.#believed.get(digest);
    if (known !== undefined && this.#clock.monotonicMs() < known.untilMs) return known.identity;
    const verified = await this.verify(token, [this.apiAudience]);
    if (verified === undefined) {
      this.#believed.delete(digest);
      return undefined;
    }
    if (this.#believed.size >= BELIEF_LIMIT) this.#believed.clear();
    this.#believed.set(digest, { identity: verified.identity, untilMs: this.#clock.monotonicMs() + BELIEF_MS });
    return verified.identity;
  }

  /** Checks signature, times, audience, and that what the token is bound to still lives. */
  async verify(
    token: string,
    audiences: readonly string[],
  ): Promise<{ identity: Identity; audiences: readonly string[] } | undefined> {
    const { jwtVerify } = await import("jose");
    let claims: JWTPayload;
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: [this.#algorithm],
        issuer: this.#keys.issuer,
        audience: [...audiences],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new globalThis.Date(this.#clock.nowMs()),
        requiredClaims: ["exp", "sub"],
      });
      claims = payload;
    } catch {
      return undefined;
    }
    const identity = await this.#identityOf(claims);
    if (identity === undefined) return undefined;
    const granted = typeof claims.aud === "string" ? [claims.aud] : (claims.aud ?? []);
    return { identity, audiences: granted.filter((audience) => audiences.includes(audience)) };
  }

  async #identityOf(claims: JWTPayload): Promise<Identity | undefined> {
    const bound = claims["kubernetes.io"];
    const namespace = textAt(bound, "namespace");
    const name = textAt(bound, "serviceaccount", "name");
    const uid = textAt(bound, "serviceaccount", "uid");
    if (claims.sub !== `${PREFIX}${namespace}:${name}`) return undefined;
    if (!(await this.#lives("serviceaccounts", namespace, name, uid))) return undefined;
    const extra: Record<string, string[]> = { "authentication.kubernetes.io/credential-id": [`JTI=${claims.jti}`] };
    for (const [part, resource] of BOUND_PARTS) {
      const reference = isRecord(bound) ? bound[part] : undefined;
      if (reference === undefined) continue;
      const partName = textAt(reference, "name");
      const partUid = textAt(reference, "uid");
      if (resource === "pods" && !(await this.#lives(resource, namespace, partName, partUid))) return undefined;
      extra[`authentication.kubernetes.io/${part}-name`] = [partName];
      extra[`authentication.kubernetes.io/${part}-uid`] = [partUid];
    }
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, AUTHENTICATED];
    return { user: `${PREFIX}${namespace}:${name}`, uid, groups, extra };
  }

  async #lives(resource: string, namespace: string, name: string, uid: string): Promise<boolean> {
    const object = await this.#reads.find(resource, namespace, name);
    return object?.metadata?.uid === uid;
  }
}

const BOUND_PARTS = [
  ["pod", "pods"],
  ["node", "nodes"],
] as const;
