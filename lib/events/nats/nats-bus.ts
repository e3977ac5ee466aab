import { connect, type NatsConnection, type NodeConnectionOptions, type Subscription } from "@nats-io/transport-node";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Bus, BusHandler, BusStatus } from "../bus.ts";

export interface NatsBusOptions {
  /** `host:port` of every server; clients fail over. */
  readonly servers: readonly string[];
  /** Shown by the server's monitoring. */
  readonly name: string;
  /** Bytes that may wait for the server; more are dropped. */
  readonly outgoingLimitBytes?: number;
  readonly reconnectDelayMs?: number;
}

interface Subscriber {
  readonly pattern: string;
  readonly handler: BusHandler;
  subscription: Subscription | undefined;
}

/** Core NATS: no JetStream, whose replay the store's history is. */
export class NatsBus implements Bus {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: NatsBusOptions;
  readonly #limitBytes: number;
  readonly #subscribers = new Set<Subscriber>();
  #connection: NatsConnection | undefined;
  #status: BusStatus = "away";
  /** Handed to the client and not yet known to be with the server. */
  #outgoingBytes = 0;
  #confirming = false;
  readonly #stopping = new AbortController();

  constructor(components: { readonly clock: Clock; readonly log: Log }, options: NatsBusOptions) {
    this.#clock = components.clock;
    this.#log = components.log;
    this.#options = options;
    this.#limitBytes = options.outgoingLimitBytes ?? 8 * 1024 * 1024;
  }

  /** Resolves also while no server can be reached: the bus is then away, and tries until it is stopped. */
  async start(): Promise<void> {
    if (!(await this.#connect())) void this.#retry();
  }

  /** For good: a stopped bus does not start again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#status = "away";
    await this.#connection?.close();
    this.#connection = undefined;
  }

  status(): BusStatus {
    return this.#status;
  }

  publish(subject: string, bytes: Uint8Array): boolean {
    const connection = this.#connection;
    // The client keeps what is published while it is away, without a bound.
    if (connection === undefined || this.#status === "away") return false;
    if (this.#outgoingBytes + bytes.length > this.#limitBytes) return false;
    if (bytes.length > (connection.info?.max_payload ?? 0)) return false;
    this.#outgoingBytes += bytes.length + subject.length;
    connection.publish(subject, bytes);
    if (!this.#confirming) void this.#confirm(connection);
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
    if (connection === undefined) return;
    this.#listen(connection, subscriber);
    if (this.#status === "connected") await connection.flush().catch(() => {});
  }

  async #connect(): Promise<boolean> {
    const options: NodeConnectionOptions = {
      servers: [...this.#options.servers],
      name: this.#options.name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: this.#options.reconnectDelayMs ?? 500,
      reconnectJitter: 100,
      pingInterval: 10_000,
    };
    try {
      const connection = await connect(options);
      if (this.#stopping.signal.aborted) {
        await connection.close();
        return true;
      }
      this.#connection = connection;
      this.#status = "connected";
      void this.#follow(connection);
      for (const subscriber of this.#subscribers) {
        this.#listen(connection, subscriber);
        subscriber.handler.gap("connected");
      }
      return true;
    } catch (error) {
      this.#log.debug("no server of the bus answers", { error: String(error) });
      return false;
    }
  }

  async #retry(): Promise<void> {
    this.#log.warn("the bus is away", { servers: this.#options.servers });
    try {
      do await this.#clock.sleep(this.#options.reconnectDelayMs ?? 500, this.#stopping.signal);
      while (!(await this.#connect()));
    } catch {
      // Stopped.
    }
  }

  #listen(connection: NatsConnection, subscriber: Subscriber): void {
    const { handler } = subscriber;
    subscriber.subscription = connection.subscribe(subscriber.pattern, {
      callback: (error, message) => {
        if (error !== null) handler.gap(error.message);
        else handler.message(message.subject, message.data);
      },
    });
  }

  /** A round trip proves that the server has what went before it. */
  async #confirm(connection: NatsConnection): Promise<void> {
    this.#confirming = true;
    try {
      while (this.#outgoingBytes > 0 && this.#status === "connected") {
        const sentBytes = this.#outgoingBytes;
        await connection.flush();
        this.#outgoingBytes -= Math.min(sentBytes, this.#outgoingBytes);
      }
    } catch {
      // The connection ended; what was on its way is lost, and its hearers find that out.
    } finally {
      this.#confirming = false;
    }
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const event of connection.status()) {
      if (connection !== this.#connection) return;
      if (event.type === "disconnect") {
        this.#status = "away";
        this.#log.warn("the bus is away", { server: event.server });
      } else if (event.type === "reconnect") {
        this.#status = "connected";
        this.#outgoingBytes = 0;
        this.#log.info("the bus is back", { server: event.server });
        for (const { handler } of this.#subscribers) handler.gap("reconnected");
      } else if (event.type === "error") {
        this.#log.warn("the bus refused something", { error: event.error.message });
      } else if (event.type === "close") {
        this.#status = "away";
      }
    }
  }
}
