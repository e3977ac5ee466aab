import { isIP } from "node:net";
import {
  type Authenticator,
  connect,
  type NatsConnection,
  type NodeConnectionOptions,
  type Subscription,
} from "@nats-io/transport-node";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Bus, BusHandler, BusStatus } from "../bus.ts";
import type { BusToken } from "./bus-users.ts";
import { UserKey } from "./user-key.ts";

/** Where a bus gets the right to connect. */
export interface BusCredentials {
  /** A fresh token for this user key, an empty one when none is needed; rejects while none can be had. Asked before each connection. */
  join(userPublicKey: string): Promise<BusToken>;
  /** Has `listener` told when the token should be replaced before its time. */
  onStale?(listener: () => void): void;
}

export interface NatsBusOptions {
  /** `host:port` of every server; clients fail over. */
  readonly servers: readonly string[];
  /** Shown by the server's monitoring. */
  readonly name: string;
  /** Absent: plain text, to servers on loopback only. `serverName`: what their certificates must say; default `nats`. */
  readonly tls?: { readonly caPem: string; readonly serverName?: string };
  /** Bytes that may wait for the server; more are dropped. */
  readonly outgoingLimitBytes?: number;
  readonly reconnectDelayMs?: number;
}

interface Subscriber {
  readonly pattern: string;
  readonly handler: BusHandler;
  subscription: Subscription | undefined;
}

/** A connection, and when it should be replaced because its token nears its end. */
interface Link {
  readonly connection: NatsConnection;
  readonly renewAtMs: number;
}

const SERVER_NAME = "nats";
const CONNECT_TIMEOUT_MS = 5_000;
/** Share of a token's life after which the next one is asked for. */
const RENEW_AFTER = 2 / 3;
const RENEW_RETRY_MS = 5_000;
/** A server that hangs is as good as away; that it is gone is known after some of these. */
const SUBSCRIBED_WAIT_MS = 1_000;

/**
 * Core NATS: no JetStream, whose replay the store's history is. A token that nears its end is replaced by a second connection
 * before the first one closes, so that nothing is lost by it; messages may then come twice.
 */
export class NatsBus implements Bus {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #credentials: BusCredentials | undefined;
  readonly #options: NatsBusOptions;
  readonly #limitBytes: number;
  readonly #delayMs: number;
  readonly #subscribers = new Set<Subscriber>();
  readonly #stopping = new AbortController();
  #userKey: UserKey | undefined;
  #connection: NatsConnection | undefined;
  #wasConnected = false;
  /** Handed to the client and not yet known to be with the server. */
  #outgoingBytes = 0;
  #confirming = false;
  #renewSoon = () => {};
  /** Why no connection could be made, as it was told last. */
  #problem = "";

  constructor(
    components: { readonly clock: Clock; readonly log: Log; readonly credentials?: BusCredentials },
    options: NatsBusOptions,
  ) {
    const far = options.servers.find((server) => !isLoopback(server));
    if (options.tls === undefined && far !== undefined) {
      throw new Error(`the bus at ${far} is not on loopback and needs TLS`);
    }
    this.#clock = components.clock;
    this.#log = components.log;
    this.#credentials = components.credentials;
    this.#credentials?.onStale?.(() => this.#renewSoon());
    this.#options = options;
    this.#limitBytes = options.outgoingLimitBytes ?? 8 * 1024 * 1024;
    this.#delayMs = options.reconnectDelayMs ?? 500;
  }

  /** Resolves also while no server can be reached: the bus is then away, and tries until it is stopped. */
  async start(): Promise<void> {
    const link = await this.#open();
    if (link !== undefined) this.#take(link);
    void this.#keep(link);
  }

  /** For good: a stopped bus does not start again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  status(): BusStatus {
    return this.#connection === undefined || this.#connection.isClosed() ? "away" : "connected";
  }

  publish(subject: string, bytes: Uint8Array): boolean {
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed()) return false;
    if (this.#outgoingBytes + bytes.length > this.#limitBytes) return false;
    if (bytes.length > (connection.info?.max_payload ?? 0)) return false;
    this.#outgoingBytes += bytes.length + subject.length;
    connection.publish(subject, bytes);
    if (!this.#confirming) void this.#confirm();
    return true;
  }

  async subscribe(pattern: string, handler: BusHandler, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const subscriber: Subscriber = { pattern, handler, subscription: undefined };
    this.#subscribers.add(subscriber);
    const end = () => {
      this.#subscribers.delete(subscriber);
      subscriber.subscription?.unsubscribe();
    };
    signal.addEventListener("abort", end, { once: true });
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed()) return;
    this.#listen(connection, subscriber);
    const waiting = new AbortController();
    const tooLong = this.#clock.sleep(SUBSCRIBED_WAIT_MS, waiting.signal).catch(() => {});
    await Promise.race([flushed(connection), tooLong]);
    waiting.abort();
  }

  /** Until stopped: replaces what ended at once, and what will end in time. */
  async #keep(first: Link | undefined): Promise<void> {
    const { signal } = this.#stopping;
    let link = first;
    while (!signal.aborted) {
      if (link === undefined) {
        await this.#clock.sleep(this.#delayMs, signal).catch(() => {});
        link = await this.#open();
        if (link !== undefined) this.#take(link);
        continue;
      }
      const isDue = await this.#untilDue(link);
      if (signal.aborted) return;
      link = isDue ? await this.#renew(link) : await this.#replaceLost();
    }
  }

  /** True: the link should be replaced; false: it has ended. */
  async #untilDue({ connection, renewAtMs }: Link): Promise<boolean> {
    const waking = new AbortController();
    const due = Number.isFinite(renewAtMs)
      ? this.#clock.sleep(Math.max(0, renewAtMs - this.#clock.nowMs()), waking.signal).then(() => true)
      : new Promise<boolean>(() => {});
    const ended = connection.closed().then(() => false);
    const asked = new Promise<boolean>((resolve) => {
      this.#renewSoon = () => resolve(true);
    });
    const isDue = await Promise.race([due, asked, ended]);
    due.catch(() => {});
    waking.abort();
    return isDue && !connection.isClosed();
  }

  async #replaceLost(): Promise<Link | undefined> {
    this.#connection = undefined;
    this.#log.warn("the bus is away", { servers: this.#options.servers });
    // Hearers need not wait for silence.
    for (const { handler } of this.#subscribers) handler.gap("away");
    const link = await this.#open();
    if (link !== undefined) this.#take(link);
    return link;
  }

  async #renew(old: Link): Promise<Link> {
    const next = await this.#open();
    if (next === undefined) return { ...old, renewAtMs: this.#clock.nowMs() + RENEW_RETRY_MS };
    await flushed(old.connection);
    if (this.#stopping.signal.aborted) {
      await next.connection.close();
      return next;
    }
    this.#connection = next.connection;
    for (const subscriber of this.#subscribers) this.#listen(next.connection, subscriber);
    // The server has the new subscriptions before the old ones end.
    await flushed(next.connection);
    const wasLost = old.connection.isClosed();
    await old.connection.close();
    if (wasLost) for (const { handler } of this.#subscribers) handler.gap("reconnected");
    return next;
  }

  #take({ connection }: Link): void {
    if (this.#stopping.signal.aborted) {
      void connection.close();
      return;
    }
    this.#connection = connection;
    this.#outgoingBytes = 0;
    if (this.#wasConnected) this.#log.info("the bus is back", { server: connection.getServer() });
    for (const subscriber of this.#subscribers) {
      this.#listen(connection, subscriber);
      subscriber.handler.gap(this.#wasConnected ? "reconnected" : "connected");
    }
    this.#wasConnected = true;
  }

  async #open(): Promise<Link | undefined> {
    try {
      const { renewAtMs, ...rights } = await this.#rights();
      const { tls, servers, name } = this.#options;
      const options: NodeConnectionOptions = {
        servers: [...servers],
        name,
        // A connection that ends is replaced here: each needs a token of its own.
        reconnect: false,
        ignoreClusterUpdates: true,
        timeout: CONNECT_TIMEOUT_MS,
        pingInterval: 10_000,
        ...rights,
        ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
      };
      const connection = await connect(options);
      this.#problem = "";
      void this.#logErrors(connection);
      return { connection, renewAtMs };
    } catch (error) {
      const problem = String(error);
      if (problem !== this.#problem)
        this.#log.warn("the bus cannot be reached", { servers: this.#options.servers, problem });
      this.#problem = problem;
      return undefined;
    }
  }

  async #rights(): Promise<{ authenticator?: Authenticator; renewAtMs: number }> {
    if (this.#credentials === undefined) return { renewAtMs: Number.POSITIVE_INFINITY };
    this.#userKey ??= new UserKey();
    const key = this.#userKey;
    const askedMs = this.#clock.nowMs();
    const { jwt, expiresMs } = await this.#credentials.join(key.publicKey);
    if (jwt === "") return { renewAtMs: Number.POSITIVE_INFINITY };
    return {
      authenticator: (nonce) => ({ jwt, nkey: key.publicKey, sig: key.sign(nonce ?? "") }),
      renewAtMs: askedMs + (expiresMs - askedMs) * RENEW_AFTER,
    };
  }

  #listen(connection: NatsConnection, subscriber: Subscriber): void {
    const { handler } = subscriber;
    subscriber.subscription = connection.subscribe(subscriber.pattern, {
      callback: (error, message) => {
        // An older connection may still bring something.
        if (!this.#subscribers.has(subscriber)) return;
        if (error !== null) handler.gap(error.message);
        else handler.message(message.subject, message.data);
      },
    });
  }

  /** A round trip proves that the server has what went before it. */
  async #confirm(): Promise<void> {
    this.#confirming = true;
    try {
      while (this.#outgoingBytes > 0 && this.#connection !== undefined) {
        const connection = this.#connection;
        const sentBytes = this.#outgoingBytes;
        const isThere = await flushed(connection);
        if (this.#connection !== connection) continue;
        // What was on its way is lost with the connection, and its hearers find that out.
        if (!isThere) return;
        this.#outgoingBytes -= Math.min(sentBytes, this.#outgoingBytes);
      }
    } finally {
      this.#confirming = false;
    }
  }

  async #logErrors(connection: NatsConnection): Promise<void> {
    for await (const event of connection.status()) {
      if (event.type === "error") this.#log.warn("the bus refused something", { error: event.error.message });
    }
  }
}

/**
 * True when the server has what went before, false when the connection has ended: the package leaves a flush open for ever
 * when its connection is closed.
 */
function flushed(connection: NatsConnection): Promise<boolean> {
  const done = connection.flush().then(
    () => true,
    () => false,
  );
  return Promise.race([done, connection.closed().then(() => false)]);
}

/** The package hands all of it to node:tls, though its types name only some. */
function tlsOptions(tls: {
  caPem: string;
  serverName?: string;
}): NonNullable<NodeConnectionOptions["tls"]> & { servername: string } {
  return { ca: tls.caPem, rejectUnauthorized: true, servername: tls.serverName ?? SERVER_NAME };
}

function isLoopback(server: string): boolean {
  const host = server.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
