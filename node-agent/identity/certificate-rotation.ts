import { X509Certificate } from "node:crypto";
import type { ApiClient } from "../../lib/client/api-client.ts";
import { BackOff } from "../../lib/controller/back-off.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import type { Log } from "../../lib/core/log.ts";
import type { Random } from "../../lib/core/random.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { certificateSigningRequests } from "../../lib/gen/k8s/resources.ts";
import { type RequestsApi, requestCertificate } from "./request-certificate.ts";

/** `IdentityFolder`, as far as rotation needs it. */
export interface KeyPairs {
  keyPair(name: "client" | "server"): KeyPair;
  replaceKeyPair(name: "client" | "server", pair: KeyPair): void;
}

export interface CertificateRotationOptions {
  readonly nodeName: string;
  /** Addresses of the node, which its serving certificate names. */
  readonly ipAddresses: readonly string[];
  /** Puts a certificate to use that was written. */
  readonly renewed: (name: "client" | "server", pair: KeyPair) => void;
}

/** A certificate is renewed between these shares of its life, so that a cluster's nodes do not come all at once. */
const EARLIEST_SHARE = 0.7;
const LATEST_SHARE = 0.9;
const RETRY = { baseMs: 5_000, maxMs: 10 * 60_000, jitter: 0.5 };
/** Timers do not reach further than 24 days. */
const LONGEST_SLEEP_MS = 86_400_000;
/** What is not decided by then is asked for again. */
const DECISION_LIMIT_MS = 15 * 60_000;

/**
 * Keeps a node's two certificates fresh, by requests that it makes as itself. What replaces a certificate is written before
 * it is used; a serving certificate that nobody signed but itself (`keelson node join` leaves one to serve with), or that
 * lacks an address of the node, is replaced at once.
 */
export class CertificateRotation implements Startable {
  readonly #api: ApiClient;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #pairs: KeyPairs;
  readonly #options: CertificateRotationOptions;
  readonly #backOff: BackOff;
  readonly #stopper = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(
    components: { api: ApiClient; clock: Clock; random: Random; log: Log; pairs: KeyPairs },
    options: CertificateRotationOptions,
  ) {
    this.#api = components.api;
    this.#clock = components.clock;
    this.#random = components.random;
    this.#backOff = new BackOff(components.random, RETRY);
    this.#log = components.log;
    this.#pairs = components.pairs;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#running ??= Promise.all([this.#keep("client"), this.#keep("server")]);
  }

  async stop(): Promise<void> {
    this.#stopper.abort(new Error("rotation was stopped"));
    await this.#running;
  }

  async #keep(name: "client" | "server"): Promise<void> {
    const { signal } = this.#stopper;
    for (let pauseMs = 0; !signal.aborted; ) {
      try {
        await this.#sleepUntil(pauseMs === 0 ? this.#dueMs(name) : this.#clock.nowMs() + pauseMs);
        await this.#renew(name);
        pauseMs = 0;
        this.#backOff.forget(name);
      } catch (error) {
        if (signal.aborted) return;
        pauseMs = this.#backOff.nextMs(name);
        this.#log.warn("a certificate could not be renewed", { certificate: name, error: String(error) });
      }
    }
  }

  async #renew(name: "client" | "server"): Promise<void> {
    const { nodeName, ipAddresses, renewed } = this.#options;
    const limit = new AbortController();
    const timer = this.#clock.after(DECISION_LIMIT_MS, () =>
      limit.abort(new Error("nobody decided about the request")),
    );
    const signal = AbortSignal.any([this.#stopper.signal, limit.signal]);
    try {
      const hosts = name === "client" ? {} : { dnsNames: [nodeName], ipAddresses };
      const wanted = { purpose: name, nodeName, ...hosts };
      const pair = await requestCertificate({ requests: requestsOf(this.#api), clock: this.#clock, signal }, wanted);
      if (name === "server" && !this.#namesNode(new X509Certificate(pair.certPem))) {
        throw new Error(`the certificate that was signed does not name ${ipAddresses.join(", ")}`);
      }
      this.#pairs.replaceKeyPair(name, pair);
      renewed(name, pair);
      this.#log.info("a certificate was renewed", {
        certificate: name,
        until: new X509Certificate(pair.certPem).validTo,
      });
    } finally {
      timer.cancel();
    }
  }

  #dueMs(name: "client" | "server"): number {
    const certificate = new X509Certificate(this.#pairs.keyPair(name).certPem);
    if (certificate.issuer === certificate.subject) return 0;
    if (name === "server" && !this.#namesNode(certificate)) return 0;
    const startMs = certificate.validFromDate.getTime();
    const share = EARLIEST_SHARE + (LATEST_SHARE - EARLIEST_SHARE) * this.#random.float();
    return startMs + (certificate.validToDate.getTime() - startMs) * share;
  }

  /** Api-servers check a node's certificate by the address that they reach it at. */
  #namesNode(certificate: X509Certificate): boolean {
    return this.#options.ipAddresses.every((address) => certificate.checkIP(address) !== undefined);
  }

  async #sleepUntil(dueMs: number): Promise<void> {
    for (;;) {
      const leftMs = dueMs - this.#clock.nowMs();
      if (leftMs <= 0) return;
      await this.#clock.sleep(Math.min(leftMs, LONGEST_SLEEP_MS), this.#stopper.signal);
    }
  }
}

function requestsOf(api: ApiClient): RequestsApi {
  return {
    create: (request) => api.create(certificateSigningRequests, request),
    get: (name) => api.get(certificateSigningRequests, { name }),
  };
}
