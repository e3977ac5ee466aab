import type { BusUsers } from "../../../lib/events/nats/bus-users.ts";
import type { BusCredentials } from "../../../lib/events/nats/nats-bus.ts";
import { publisherPatterns } from "../../../lib/events/subjects.ts";

/** An api-server's own right to the bus: it publishes what happens in its cluster and hears the heads of other publishers. */
export function publisherCredentials(users: BusUsers, cluster: string): BusCredentials {
  const { says, hears } = publisherPatterns(cluster);
  return { join: (publicKey) => users.admit({ publicKey, name: "api-server", hears: [hears], says: [says] }) };
}
