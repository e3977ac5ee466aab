import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BusMember } from "../../lib/client/bus-member.ts";
import { type Log, silentLog } from "../../lib/core/log.ts";
import type { BusHandler } from "../../lib/events/bus.ts";
import { BusUsers } from "../../lib/events/nats/bus-users.ts";
import { NatsBus } from "../../lib/events/nats/nats-bus.ts";
import { UserKey } from "../../lib/events/nats/user-key.ts";
import { Subjects } from "../../lib/events/subjects.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { configMaps, pods, secrets, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import type { IdentityFolder } from "../../lib/process/identity-folder.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { ApiServer } from "../../services/api-server/api-server.ts";
import { publisherCredentials } from "../../services/api-server/events/publisher-credentials.ts";
import { openStore } from "../../services/store/open-store.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";
import { NatsServer } from "../kit/nats.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { Identities } from "./identities.ts";

const CANARY = "canary-4f1d9c";
const CLUSTER = "lab";

class Heard implements BusHandler {
  readonly subjects: string[] = [];
  readonly gaps: string[] = [];
  bytes = "";
  message(subject: string, bytes: Uint8Array): void {
    this.subjects.push(subject);
    this.bytes += Buffer.from(bytes).toString("latin1");
  }
  gap(reason: string): void {
    this.gaps.push(reason);
  }
}

describe.skipIf(skipping("events-join", whyNotPrograms(["nats-server"])))("an identity joins the bus", () => {
  const ending: (() => unknown)[] = [];
  const logged: string[] = [];
  const write = (message: string, keys?: object) => void logged.push(`${message} ${JSON.stringify(keys ?? {})}`);
  const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log };
  let identities: Identities;
  let nats: NatsServer;
  let store: SqliteStore;
  let api: ApiServer;
  let subjects: Subjects;

  beforeAll(async () => {
    identities = await Identities.make(["--node=node-1", "--node=node-2"]);
    nats = await NatsServer.start({ identity: identities.of("nats").folder });
    store = await openStore({ clock: realClock, random: realRandom, log, onFatal: () => {} });
    const own = identities.of("api-server");
    const users = new BusUsers({ clock: realClock }, { accountSeed: own.text("bus-account.seed") });
    const bus = busOf(own, { credentials: publisherCredentials(users, CLUSTER) });
    await bus.start();
    const registry = loadRegistry(kindDescriptors);
    api = new ApiServer(
      { store, registry, bus, busUsers: users, clock: realClock, random: realRandom, log },
      {
        cluster: CLUSTER,
        listen: { host: "127.0.0.1", port: 0 },
        grpc: { host: "127.0.0.1", port: 0 },
        tls: own.keyPair("server"),
        clientCaPem: own.authorityPem("client"),
        serviceAccount: {
          privateKeyPem: own.text("service-account.key"),
          publicKeyPem: own.text("service-account.pub"),
          issuer: "https://kubernetes.default.svc.cluster.local",
        },
      },
    );
    await api.start();
    const membership = await memberOf(identities.of("admin")).membership();
    subjects = new Subjects(membership!.cluster, membership!.epoch);
  });
  afterAll(async () => {
    for (const end of ending) await end();
    await api.stop();
    await store.close();
    await nats.stop();
    identities.remove();
  });

  function busOf(identity: IdentityFolder, parts: ConstructorParameters<typeof NatsBus>[0] | object): NatsBus {
    const bus = new NatsBus(
      { clock: realClock, log, ...parts },
      { servers: [nats.address], name: "test", tls: { caPem: identity.authorityPem("server") }, reconnectDelayMs: 50 },
    );
    ending.push(() => bus.stop());
    return bus;
  }

  function channelOf(identity: IdentityFolder): GrpcChannel {
    const tls = { caPem: identity.authorityPem("server"), serverName: "kubernetes", ...identity.keyPair("client") };
    const channel = new GrpcChannel({ target: `127.0.0.1:${api.grpcPort}`, tls });
    ending.push(() => channel.close());
    return channel;
  }

  const memberOf = (identity: IdentityFolder) => new BusMember({ channel: channelOf(identity) });

  async function joined(name: string): Promise<NatsBus> {
    const identity = identities.of(name);
    const bus = busOf(identity, { credentials: memberOf(identity) });
    await bus.start();
    expect(bus.status()).toBe("connected");
    return bus;
  }

  async function hears(bus: NatsBus, pattern: string): Promise<Heard> {
    const heard = new Heard();
    await bus.subscribe(pattern, heard, new AbortController().signal);
    return heard;
  }

  test("each hears what it may list, the node its own, and nobody the value of a Secret", async () => {
    const [admin, scheduler, node] = [await joined("admin"), await joined("scheduler"), await joined("node-node-1")];
    const stream = (resource: string) => subjects.stream({ group: "", resource });
    const everything = await hears(admin, subjects.history());
    const podsHeard = await hears(scheduler, stream("pods"));
    const own = await hears(node, subjects.node("node-1"));
    const refused = [
      await hears(scheduler, stream("secrets")),
      await hears(scheduler, stream("configmaps")),
      await hears(scheduler, subjects.history()),
      await hears(node, subjects.node("node-2")),
      await hears(node, stream("pods")),
      await hears(node, stream("secrets")),
      await hears(node, stream("configmaps")),
    ];
    const client = api.clientFor({ user: "somebody", groups: ["system:masters"] });
    const data = { password: Buffer.from(CANARY).toString("base64") };
    await client.create(secrets, { metadata: { namespace: "default", name: "s" }, data });
    await client.create(configMaps, { metadata: { namespace: "default", name: "c" }, data: { key: "value" } });
    await client.create(serviceAccounts, { metadata: { namespace: "default", name: "default" } });
    for (const name of ["node-1", "node-2"]) {
      const spec = { nodeName: name, containers: [{ name: "c", image: "i" }], automountServiceAccountToken: false };
      await client.create(pods, { metadata: { namespace: "default", name }, spec });
    }
    const subjectOf = (resource: string, name: string) => subjects.object({ group: "", resource }, "default", name);
    await expect.poll(() => everything.subjects).toContain(subjectOf("pods", "node-2"));
    await expect.poll(() => podsHeard.subjects.length).toBe(2);
    await expect.poll(() => own.subjects.length).toBe(1);
    expect(everything.subjects).toContain(subjectOf("secrets", "s"));
    expect(everything.subjects).toContain(subjectOf("configmaps", "c"));
    for (const one of refused) {
      expect(one.subjects).toEqual([]);
      expect(one.gaps.join()).toMatch(/permissions violation/i);
    }
    for (const text of [everything.bytes, logged.join("\n")]) {
      expect(text).not.toContain(CANARY);
      expect(text).not.toContain(data.password);
    }
  });

  test("whoever shows no certificate of the client authority, or no user's key, gets no token", async () => {
    const scheduler = memberOf(identities.of("scheduler"));
    for (const key of ["x", "*", new UserKey().publicKey.replace(/.$/, "?"), "A".repeat(56), "U".repeat(56)]) {
      await expect(scheduler.join(key), key).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    const node = identities.of("node-node-1");
    const tls = { caPem: node.authorityPem("server"), serverName: "kubernetes", ...node.keyPair("server") };
    for (const shown of [tls, { caPem: tls.caPem, serverName: "kubernetes" }]) {
      const channel = new GrpcChannel({ target: `127.0.0.1:${api.grpcPort}`, tls: shown });
      ending.push(() => channel.close());
      await expect(new BusMember({ channel }).join(new UserKey().publicKey)).rejects.toMatchObject({
        code: "UNAUTHENTICATED",
      });
    }
  });

  test("a token that names every kind is not too long for the server", async () => {
    const manager = await joined("controller-manager");
    const heard = await hears(manager, subjects.stream({ group: "apps", resource: "deployments" }));
    expect([manager.status(), heard.gaps]).toEqual(["connected", []]);
  });

  test("whoever may list no kind as a whole hears nothing, not even the heads", async () => {
    const request = { commonName: "jane", organizations: ["developers"], usages: ["client" as const], validityDays: 1 };
    const tls = { caPem: identities.of("admin").authorityPem("server"), serverName: "kubernetes" };
    const jane = { ...tls, ...(await identities.issue("client", request)) };
    const channel = new GrpcChannel({ target: `127.0.0.1:${api.grpcPort}`, tls: jane });
    ending.push(() => channel.close());
    await expect(new BusMember({ channel }).join(new UserKey().publicKey)).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
    });
  });

  test("a token is no use to whoever lacks the seed of its key", async () => {
    const member = memberOf(identities.of("admin"));
    const stolen = await member.join(new UserKey().publicKey);
    const thief = busOf(identities.of("scheduler"), { credentials: { join: async () => stolen }, log: silentLog });
    await thief.start();
    expect(thief.status()).toBe("away");
  });

  test("invariant 53: neither seed nor key nor token is in a log", () => {
    const text = logged.join("\n");
    expect(text.length).toBeGreaterThan(0);
    for (const secret of identities.secrets()) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/eyJ[A-Za-z0-9_-]{20}/);
    const seed = readFileSync(path.join(identities.folder, "authorities", "bus-account.seed"), "utf8");
    expect(seed).toMatch(/^SA[A-Z2-7]{56}$/);
  });
});
