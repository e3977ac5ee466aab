import { EventsDefinition } from "../gen/keelson/events/v1/events_service.ts";
import type { GrpcChannel, ServiceClient } from "../transport/grpc-client.ts";
import { RpcError } from "../transport/rpc-error.ts";

const TIMEOUT_MS = 10_000;

/**
 * A role's membership of its cluster's bus, by `Events.Join` of an api-server: what `NatsBus` takes as credentials and
 * `BusChanges` as membership.
 */
export class BusMember {
  readonly #events: ServiceClient<typeof EventsDefinition>;
  #stale = () => {};
  /** What the token that was asked for last is good for. */
  #admittedTo: string | undefined;

  constructor(components: { readonly channel: GrpcChannel }) {
    this.#events = components.channel.client(EventsDefinition);
  }

  /** A token for this user key; `jwt` is empty when the bus asks for none. Rejects while no api-server answers. */
  async join(userPublicKey: string): Promise<{ jwt: string; expiresMs: number }> {
    const { jwt, expiresMs, cluster, epoch } = await this.#events.join({ userPublicKey }, { timeoutMs: TIMEOUT_MS });
    this.#admittedTo = `${cluster}/${epoch}`;
    return { jwt, expiresMs: Number(expiresMs) };
  }

  /** Where the changes are now; undefined: the api-servers publish none. Another epoch needs another token, which it asks for. */
  async membership(): Promise<{ cluster: string; epoch: string } | undefined> {
    try {
      const { cluster, epoch } = await this.#events.join({ userPublicKey: "" }, { timeoutMs: TIMEOUT_MS });
      if (this.#admittedTo !== undefined && this.#admittedTo !== `${cluster}/${epoch}`) this.#stale();
      return { cluster, epoch };
    } catch (error) {
      if (error instanceof RpcError && error.code === "FAILED_PRECONDITION") return undefined;
      throw error;
    }
  }

  /** `listener` is told when the token that was handed out last is no longer good for the subjects of today. */
  onStale(listener: () => void): void {
    this.#stale = listener;
  }
}
