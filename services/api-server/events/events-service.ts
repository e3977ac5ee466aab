import { badRequest, forbidden } from "../../../lib/core/status-error.ts";
import type { BusMembership } from "../../../lib/events/bus-changes.ts";
import type { BusUsers } from "../../../lib/events/nats/bus-users.ts";
import { isUserKey } from "../../../lib/events/nats/nkey-text.ts";
import { Subjects } from "../../../lib/events/subjects.ts";
import type { EventsDefinition, JoinResponse } from "../../../lib/gen/keelson/events/v1/events_service.ts";
import type { ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { AuthorizerList } from "../auth/authorizer.ts";
import { storeCall } from "../core/committer.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { Identity } from "../core/request.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import { callerOf } from "../grpc/rpc-caller.ts";
import { rpcErrorOf } from "../grpc/rpc-status.ts";
import { busRights } from "./bus-rights.ts";

export interface EventsServiceComponents {
  readonly kinds: KindTable;
  readonly authorizers: AuthorizerList;
  readonly authenticator: Authenticator;
  readonly statusCodec: StatusCodec;
  /** Undefined: this server publishes nothing. */
  readonly events: EventsBus | undefined;
}

export interface EventsBus {
  readonly membership: () => Promise<BusMembership>;
  /** Undefined: the bus asks nobody for a token. */
  readonly users: BusUsers | undefined;
}

/** `keelson.events.v1.Events`. */
export function eventsService(components: EventsServiceComponents): Required<ServiceHandlers<typeof EventsDefinition>> {
  return {
    async join(request, call) {
      try {
        const identity = await callerOf(call, components.authenticator);
        return await admitted(components, identity, request.userPublicKey);
      } catch (error) {
        throw rpcErrorOf(error, components.statusCodec);
      }
    },
  };
}

async function admitted(
  components: EventsServiceComponents,
  identity: Identity,
  publicKey: string,
): Promise<JoinResponse> {
  const { events } = components;
  if (events === undefined) {
    throw new RpcError("FAILED_PRECONDITION", "this api-server publishes nothing: it was started without a bus");
  }
  const { cluster, epoch } = await storeCall(() => events.membership());
  const place = { cluster, epoch };
  if (publicKey !== "" && !isUserKey(publicKey)) throw badRequest("user_public_key must be the public NKEY of a user");
  if (publicKey === "" || events.users === undefined) return { ...place, jwt: "", expiresMs: 0n };
  const hears = await busRights(components, identity, new Subjects(cluster, epoch));
  if (hears.length === 0) {
    throw forbidden(
      { group: "", resource: "" },
      "",
      `User ${JSON.stringify(identity.user)} may list no kind as a whole`,
    );
  }
  const { jwt, expiresMs } = await events.users.admit({ publicKey, name: identity.user, hears, says: [] });
  return { ...place, jwt, expiresMs: BigInt(expiresMs) };
}
