import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ClusterPki } from "../../cluster/cluster-pki.ts";
import type { Log } from "../../lib/core/log.ts";
import { silentLog } from "../../lib/core/log.ts";
import { busSuite } from "../../lib/events/bus.suite.ts";
import type { BusHandler } from "../../lib/events/bus.ts";
import { type BusUser, BusUsers } from "../../lib/events/nats/bus-users.ts";
import { NatsBus, type NatsBusOptions } from "../../lib/events/nats/nats-bus.ts";
import { publisherPatterns, Subjects } from "../../lib/events/subjects.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { NatsServer } from "../kit/nats.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";

type Rights = Pick<BusUser, "hears" | "says">;

const subjects = new Subjects("lab", "e1");
const EVERYTHING: Rights = { hears: [">"], says: [">"] };
const { hears: heads, says } = publisherPatterns("lab");
const PUBLISHER: Rights = { hears: [heads], says: [says] };
const pods = { group: "", resource: "pods" };
const nodeRights = (node: string): Rights => ({ hears: [subjects.node(node), subjects.heads()], says: [] });
const SCHEDULER: Rights = { hears: [subjects.stream(pods), subjects.heads()], says: [] };

class Heard implements BusHandler {
  readonly texts: string[] = [];
  readonly gaps: string[] = [];
  message(subject: string): void {
    this.texts.push(subject);
  }
  gap(reason: string): void {
    this.gaps.push(reason);
  }
}

describe.skipIf(skipping("bus-users", whyNotPrograms(["nats-server"])))("users of a nats-server", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "keelson-bus-users-"));
  const pki = new ClusterPki({ clock: realClock, random: realRandom }, path.join(folder, "pki"));
  const foreign = new ClusterPki({ clock: realClock, random: realRandom }, path.join(folder, "foreign"));
  const buses: NatsBus[] = [];
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message, keys) => void warnings.push(`${message} ${JSON.stringify(keys)}`) };
  let server: NatsServer;
  let caPem = "";
  let seed = "";

  const seedOf = async (of: ClusterPki) =>
    readFileSync(path.join(await of.identityFolder("api-server"), "bus-account.seed"), "utf8");

  beforeAll(async () => {
    server = await NatsServer.start({ identity: await pki.identityFolder("nats") });
    caPem = await pki.authorityPem("server");
    seed = await seedOf(pki);
  });
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.stop()));
    warnings.splice(0);
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  interface Options extends Partial<NatsBusOptions> {
    accountSeed?: string;
    lifetimeMs?: number;
    joined?: () => void;
  }

  async function busOf(rights: Rights, options: Options = {}): Promise<NatsBus> {
    const { accountSeed = seed, lifetimeMs, joined, ...more } = options;
    const users = new BusUsers(
      { clock: realClock },
      { accountSeed, ...(lifetimeMs === undefined ? {} : { lifetimeMs }) },
    );
    const credentials = {
      join: (publicKey: string) => {
        joined?.();
        return users.admit({ publicKey, name: "test", ...rights });
      },
    };
    const bus = new NatsBus(
      { clock: realClock, log, credentials },
      { servers: [server.address], name: "test", tls: { caPem }, reconnectDelayMs: 50, ...more },
    );
    buses.push(bus);
    await bus.start();
    return bus;
  }

  async function hears(bus: NatsBus, pattern: string): Promise<Heard> {
    const heard = new Heard();
    await bus.subscribe(pattern, heard, new AbortController().signal);
    return heard;
  }

  busSuite("NATS with TLS and users", {
    async open() {
      const [bus, other] = await Promise.all([busOf(EVERYTHING), busOf(EVERYTHING)]);
      return { bus, other, close: async () => {} };
    },
  });

  test("a node hears its own subjects and the heads, no other node's, and not everything", async () => {
    const publisher = await busOf(PUBLISHER);
    const node = await busOf(nodeRights("node-1"));
    const [own, heads] = [await hears(node, subjects.node("node-1")), await hears(node, subjects.heads())];
    const refused = [
      await hears(node, subjects.node("node-2")),
      await hears(node, subjects.stream(pods)),
      await hears(node, ">"),
      await hears(node, "keelson.*.*.node.>"),
      await hears(node, "$SYS.>"),
    ];
    for (const name of ["node-2", "node-1"]) {
      publisher.publish(subjects.object({ ...pods, node: name }, "default", "web"), new Uint8Array(1));
    }
    publisher.publish(subjects.object(pods, "default", "web"), new Uint8Array(1));
    publisher.publish(subjects.heads(), new Uint8Array(1));
    await expect.poll(() => heads.texts).toEqual([subjects.heads()]);
    expect(own.texts).toEqual([subjects.object({ ...pods, node: "node-1" }, "default", "web")]);
    for (const one of refused) {
      expect(one.texts).toEqual([]);
      expect(one.gaps.join()).toMatch(/permissions violation/i);
    }
  });

  test("F8: whoever is no api-server publishes nothing, and an api-server nothing of another cluster", async () => {
    const all = await hears(await busOf(EVERYTHING), "keelson.>");
    const scheduler = await busOf(SCHEDULER);
    scheduler.publish(subjects.object(pods, "default", "forged"), new Uint8Array(1));
    await expect.poll(() => warnings.join()).toMatch(/permissions violation for publish/i);
    const publisher = await busOf(PUBLISHER);
    publisher.publish(new Subjects("other", "e1").object(pods, "default", "forged"), new Uint8Array(1));
    publisher.publish(subjects.object(pods, "default", "real"), new Uint8Array(1));
    await expect.poll(() => all.texts).toEqual([subjects.object(pods, "default", "real")]);
  });

  test("a user of another cluster's account, or without a token, does not get in", async () => {
    const stranger = await busOf(EVERYTHING, { accountSeed: await seedOf(foreign) });
    expect(stranger.status()).toBe("away");
    expect(warnings.join()).toMatch(/authorization violation/i);
    const nobody = new NatsBus(
      { clock: realClock, log: silentLog },
      { servers: [server.address], name: "nobody", tls: { caPem } },
    );
    buses.push(nobody);
    await nobody.start();
    expect(nobody.status()).toBe("away");
  });

  test("nobody speaks in plain text: neither a client to this server nor our bus to a server without TLS", async () => {
    const plain = new NatsBus({ clock: realClock, log }, { servers: [server.address], name: "plain" });
    buses.push(plain);
    await plain.start();
    expect(plain.status()).toBe("away");
    const stripped = await NatsServer.start();
    let isAway = false;
    try {
      isAway = (await busOf(EVERYTHING, { servers: [stripped.address] })).status() === "away";
    } finally {
      await stripped.stop();
    }
    expect(isAway).toBe(true);
    expect(() => new NatsBus({ clock: realClock, log }, { servers: ["10.0.0.1:4222"], name: "far" })).toThrow(
      /needs TLS/,
    );
  });

  test("a server that another authority vouches for, or of another name, is not spoken to", async () => {
    const wrongAuthority = await busOf(EVERYTHING, { tls: { caPem: await foreign.authorityPem("server") } });
    expect(wrongAuthority.status()).toBe("away");
    expect((await busOf(EVERYTHING, { tls: { caPem, serverName: "kubernetes" } })).status()).toBe("away");
  });

  test("a token is replaced before its end, without a gap", async () => {
    const publisher = await busOf(PUBLISHER);
    let joins = 0;
    const bus = await busOf(SCHEDULER, { lifetimeMs: 6_000, joined: () => joins++ });
    const heard = await hears(bus, subjects.stream(pods));
    await expect.poll(() => joins, { timeout: 60_000 }).toBeGreaterThan(2);
    await expect.poll(() => bus.status()).toBe("connected");
    expect(heard.gaps).toEqual([]);
    publisher.publish(subjects.object(pods, "default", "web"), new Uint8Array(1));
    await expect.poll(() => heard.texts.length).toBeGreaterThan(0);
  });

  test("a user whose token ran out is cut off, and comes back with a gap when it gets another", async () => {
    let isRefusing = false;
    const bus = await busOf(SCHEDULER, {
      lifetimeMs: 2_500,
      joined: () => {
        if (isRefusing) throw new Error("no api-server answers");
      },
    });
    const heard = await hears(bus, subjects.stream(pods));
    isRefusing = true;
    await expect.poll(() => bus.status(), { timeout: 15_000 }).toBe("away");
    isRefusing = false;
    await expect.poll(() => bus.status(), { timeout: 15_000 }).toBe("connected");
    expect(heard.gaps).toEqual(["away", "reconnected"]);
    const publisher = await busOf(PUBLISHER);
    publisher.publish(subjects.object(pods, "default", "web"), new Uint8Array(1));
    await expect.poll(() => heard.texts.length).toBeGreaterThan(0);
  });
});
