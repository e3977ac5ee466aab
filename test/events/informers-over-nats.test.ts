import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Informer } from "../../lib/controller/informer.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { StatusError } from "../../lib/core/status-error.ts";
import type { Bus } from "../../lib/events/bus.ts";
import { type Change, decodeEvent, encodeEvent } from "../../lib/events/envelope.ts";
import type { NatsBus } from "../../lib/events/nats/nats-bus.ts";
import { Subjects } from "../../lib/events/subjects.ts";
import type { Faults } from "../../lib/events/testkit/faulty-bus.ts";
import type { ConfigMap } from "../../lib/gen/k8s/core/v1.ts";
import { configMaps, namespaces, pods, secrets, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import type { Store } from "../../lib/store/store.ts";
import type { SqliteStore } from "../../services/store/sqlite-store.ts";
import { openTestStore } from "../../services/store/testkit/test-store.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { eventually } from "../kit/eventually.ts";
import { NatsServer } from "../kit/nats.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { BusProcess, expectEqual, natsBus } from "./bus-process.ts";

const NOTHING_REFUSED = { undecodable: 0, epoch: 0, stream: 0, "above-durable": 0, forged: 0 };
const STREAM = { group: "", resource: "configmaps" };

describe.skipIf(skipping("informers-over-nats", whyNotPrograms(["nats-server"])))(
  "informers over a real nats-server",
  () => {
    let server: NatsServer;
    let store: SqliteStore;
    /** Both serve one store; `first` publishes until it stops. */
    let first: ApiFixture;
    let second: ApiFixture;
    /** Of `first`: true loses whatever it publishes. */
    let isMute = false;
    let admin: ApiClient;
    let stranger: NatsBus;
    let process: BusProcess;
    let maps: Informer<ConfigMap>;
    const buses: NatsBus[] = [];

    async function openBus(name: string): Promise<NatsBus> {
      const bus = natsBus(server.address, name);
      await bus.start();
      buses.push(bus);
      return bus;
    }

    beforeAll(async () => {
      server = await NatsServer.start();
      store = await openTestStore({ clock: realClock });
      // Each fixture closes its store.
      const shared = new Proxy<Store>(store, {
        get: (target, member: keyof Store) => (member === "close" ? async () => {} : target[member].bind(target)),
      });
      const mutable = new Proxy<Bus>(await openBus("first"), {
        get(target, member: keyof Bus) {
          return member === "publish" && isMute ? () => false : target[member].bind(target);
        },
      });
      first = await startApi({ store: shared, bus: mutable });
      await eventually(() => expect(first.api.publishing).toBe(true));
      second = await startApi({ store: shared, bus: await openBus("second") });
      admin = second.client;
      stranger = await openBus("stranger");
      await admin.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
    });
    afterAll(async () => {
      await Promise.all([first.stop(), second.stop()]);
      await Promise.all(buses.map((bus) => bus.stop()));
      await store.close();
      await server.stop();
    });
    beforeEach(async () => {
      process = new BusProcess(second, server.address);
      await process.bus.start();
      maps = await process.follow(configMaps);
    });
    afterEach(() => process.stop());

    const make = (name: string, value: string): ConfigMap => ({
      metadata: { name, namespace: "default" },
      data: { value },
    });
    const key = (name: string) => ({ namespace: "default", name });
    const countsOf = () => process.counts("configmaps")!;

    /** Writes side by side, some of them in vain. */
    async function churn(seed: number, steps: number): Promise<void> {
      const random = new SeededRandom(seed);
      for (let i = 0; i < steps; i++) {
        const name = `m${Math.floor(random.float() * 20)}`;
        const choice = random.float();
        try {
          if (choice < 0.5) await admin.create(configMaps, make(name, String(i)));
          else if (choice < 0.8) await admin.update(configMaps, make(name, `u${i}`));
          else await admin.delete(configMaps, key(name));
        } catch (error) {
          if (!(error instanceof StatusError) || (error.code !== 404 && error.code !== 409)) throw error;
        }
      }
    }

    async function forge(change: Partial<Change>, epoch?: string): Promise<void> {
      const { cluster, epoch: own } = await second.api.membership();
      const { revision } = await store.status();
      const whole: Change = {
        ...{ stream: "configmaps", revision: revision + 1, previousRevision: revision, part: 0, parts: 1 },
        ...{ operation: "put", namespace: "default", name: "evil", identityOnly: false, encoding: "json" },
        object: Buffer.from(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: key("evil") })),
        ...change,
      };
      const bytes = encodeEvent({ type: "change", epoch: epoch ?? own, change: whole });
      stranger.publish(new Subjects(cluster, own).object(STREAM, "default", whole.name), bytes);
    }

    test("without faults the bus alone tells everything, as the API would have told it", async () => {
      const everywhere = await process.follow(namespaces);
      const ofNode = await process.follow(pods, { fieldSelector: "spec.nodeName=n1" });
      const podOf = (name: string, nodeName: string) => ({
        metadata: { name, namespace: "default", labels: { app: name } },
        spec: { nodeName, containers: [{ name: "c", image: "i", resources: { requests: { cpu: "10m" } } }] },
      });
      await admin.create(pods, podOf("mine", "n1"));
      await admin.create(pods, podOf("other", "n2"));
      await admin.create(namespaces, { metadata: { name: "made" } });
      await churn(1, 200);
      await admin.delete(pods, key("mine"), { gracePeriodSeconds: 0 });
      await admin.create(pods, podOf("later", "n1"));
      await expectEqual(maps, admin);
      await expectEqual(everywhere, admin);
      await expectEqual(ofNode, admin, { fieldSelector: "spec.nodeName=n1" });
      for (const stream of ["configmaps", "namespaces", "pods@n1"]) {
        expect(process.counts(stream)).toMatchObject({ resumes: 1, refused: NOTHING_REFUSED });
      }
      expect([maps.lists, everywhere.lists, ofNode.lists]).toEqual([1, 1, 1]);
      const { revision } = await store.status();
      await eventually(() => expect(maps.seenRevision).toBeGreaterThanOrEqual(BigInt(revision)));
      expect(process.openWatches("configmaps")).toBe(0);
    });

    test("invariant 53: secrets are followed by watch, and nothing of them is on the bus but that they changed", async () => {
      const raw: string[] = [];
      const message = (_subject: string, bytes: Uint8Array) => void raw.push(Buffer.from(bytes).toString("latin1"));
      await stranger.subscribe(">", { message, gap: () => {} }, new AbortController().signal);
      const informer = await process.follow(secrets, { byWatch: true });
      const secret = { metadata: key("s"), stringData: { password: "CANARY-1" } };
      await admin.create(secrets, secret);
      await admin.update(secrets, { ...secret, stringData: { password: "CANARY-2" } });
      await admin.create(configMaps, make("beside", "told"));
      await expectEqual(informer, admin);
      await eventually(() => expect(raw.join("")).toContain("beside"));
      expect(raw.some((bytes) => bytes.includes("secrets"))).toBe(true);
      for (const value of [
        "CANARY",
        Buffer.from("CANARY-1").toString("base64"),
        Buffer.from("CANARY-2").toString("base64"),
      ]) {
        expect(raw.join("")).not.toContain(value.replaceAll("=", ""));
      }
    });

    const FAULTS: readonly [string, Faults][] = [
      ["loss", { loss: 0.2 }],
      ["duplication", { duplication: 0.5 }],
      ["delay and reordering", { delay: 0.4, delayMs: 300 }],
      ["truncation", { truncation: 0.2 }],
      ["everything", { loss: 0.1, duplication: 0.2, delay: 0.2, delayMs: 1_000, truncation: 0.1 }],
    ];
    test.each(FAULTS)("invariant 28: %s changes latency only", async (name, faults) => {
      process.bus.faults = faults;
      await churn(name.length, 150);
      await expectEqual(maps, admin);
      process.bus.faults = {};
      await churn(name.length + 1, 20);
      await expectEqual(maps, admin);
      expect(maps.lists).toBe(1);
    });

    test("one lost message costs one question to the API and no list, also when it is the last one", async () => {
      process.bus.loses = (subject) => subject.includes("lost");
      await admin.create(configMaps, make("lost-1", "x"));
      await expectEqual(maps, admin);
      expect(countsOf().resumes).toBe(2);
      await admin.delete(configMaps, key("lost-1"));
      await expectEqual(maps, admin);
      expect(countsOf()).toMatchObject({ resumes: 3, refused: NOTHING_REFUSED });
      expect(maps.lists).toBe(1);
    });

    test("an object that is too large for the bus is read from the API", async () => {
      await admin.create(configMaps, make("large", "x".repeat(300_000)));
      await expectEqual(maps, admin);
      await admin.delete(configMaps, key("large"));
      await expectEqual(maps, admin);
      expect(countsOf().resumes).toBe(2);
      expect(maps.lists).toBe(1);
    });

    test("invariant 30: forged, foreign and unreadable messages are refused, and what one of them told does not stay", async () => {
      await forge({}, "another-epoch");
      await forge({ stream: "secrets" });
      const { revision } = await store.status();
      await forge({ revision: revision + 10_000, previousRevision: revision + 9_999 });
      const { cluster, epoch } = await second.api.membership();
      stranger.publish(new Subjects(cluster, epoch).object(STREAM, "default", "x"), Buffer.from("no event"));
      await eventually(() =>
        expect(countsOf().refused).toEqual({ epoch: 1, stream: 1, undecodable: 1, "above-durable": 1, forged: 0 }),
      );
      await admin.create(configMaps, make("after-forgery", "x"));
      await expectEqual(maps, admin);
      expect(maps.lists).toBe(1);

      await forge({ object: Buffer.from("{") });
      await eventually(() => expect(countsOf().refused.undecodable).toBe(2));
      await admin.delete(configMaps, key("after-forgery"));
      await expectEqual(maps, admin);

      // One that fits is told, until a real one has its revision.
      await forge({});
      await eventually(() => expect(maps.store.get("default/evil")).toBeDefined());
      await churn(7, 5);
      await expectEqual(maps, admin);
      expect(maps.store.get("default/evil")).toBeUndefined();
      expect(countsOf().refused.forged).toBeGreaterThan(0);
    });

    test("the publisher ends between commit and publish: its successor goes on where it was last heard", async () => {
      const heard: string[] = [];
      const message = (_subject: string, bytes: Uint8Array) => {
        const event = decodeEvent(bytes);
        if (event?.type === "change") heard.push(event.change.name);
      };
      await stranger.subscribe(
        "keelson.*.*.all._.configmaps.>",
        { message, gap: () => {} },
        new AbortController().signal,
      );
      await eventually(() => expect(first.api.publishing).toBe(true));
      isMute = true;
      await admin.create(configMaps, make("unpublished", "x"));
      await first.api.stop();
      await eventually(() => expect(second.api.publishing).toBe(true));
      await expectEqual(maps, admin);
      await eventually(() => expect(heard).toContain("unpublished"));
      await churn(9, 50);
      await expectEqual(maps, admin);
      expect(maps.lists).toBe(1);
      await eventually(() => expect(process.openWatches("configmaps")).toBe(0));
    });

    test("a store with another epoch is noticed: informers list again and are back on the bus", async () => {
      await store.txn({ compare: [], success: [{ type: "delete", key: Buffer.from("/keelson/epoch") }] });
      await eventually(() => expect(maps.lists).toBe(2), { timeoutMs: 20_000 });
      await churn(3, 30);
      await expectEqual(maps, admin);
      await eventually(() => expect(process.openWatches("configmaps")).toBe(0));
      const { resumes } = countsOf();
      await churn(4, 30);
      await expectEqual(maps, admin);
      expect(countsOf().resumes).toBe(resumes);
    });

    test("invariant 29, F8: nats-server stops for good: a watch is held open; it comes back: the bus is heard again", async () => {
      await server.kill();
      await eventually(() => expect(process.openWatches("configmaps")).toBe(1));
      const { resumes } = countsOf();
      await churn(5, 50);
      await expectEqual(maps, admin);
      const later = await new BusProcess(second, server.address);
      await later.bus.start();
      const mapsLater = await later.follow(configMaps, { byWatch: true });
      await churn(6, 50);
      await expectEqual(mapsLater, admin);
      await later.stop();
      expect(countsOf().resumes).toBe(resumes);
      await server.startAgain();
      await eventually(() => expect(process.openWatches("configmaps")).toBe(0));
      await churn(8, 50);
      await expectEqual(maps, admin);
      expect(maps.lists).toBe(1);
      expect(countsOf().refused).toEqual(NOTHING_REFUSED);
    });
  },
);
