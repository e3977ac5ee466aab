import { expect, test } from "vitest";
import type { ApiObject } from "../client/api-object.ts";
import type { ObjectSelection } from "../client/changes.ts";
import { MemoryApi } from "../client/testkit/memory-api.ts";
import { Informer } from "../controller/informer.ts";
import { silentLog } from "../core/log.ts";
import { SeededRandom } from "../core/seeded-random.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { kindDescriptors } from "../gen/k8s/descriptors.ts";
import { configMaps, events, pods, secrets } from "../gen/k8s/resources.ts";
import type { ResourceRef } from "../resource/kind.ts";
import { loadRegistry } from "../resource/registry.ts";
import { BusChanges, type BusMembership } from "./bus-changes.ts";
import { MemoryBus } from "./memory-bus.ts";

const registry = loadRegistry(kindDescriptors);

async function open() {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const api = new MemoryApi({ clock, random });
  const patterns: string[] = [];
  const memory = new MemoryBus();
  await memory.start();
  const bus = new Proxy(memory, {
    get(target, member: keyof MemoryBus) {
      if (member !== "subscribe") return target[member].bind(target);
      return (...args: Parameters<MemoryBus["subscribe"]>) => {
        patterns.push(args[0]);
        return target.subscribe(...args);
      };
    },
  });
  const state = { asked: 0, membership: { cluster: "c", epoch: "e" } as BusMembership | undefined };
  const membership = async () => {
    state.asked++;
    return state.membership;
  };
  const changes = new BusChanges({ api, bus, registry, membership, clock, log: silentLog });
  const started: Informer<ApiObject>[] = [];
  const follow = async (ref: ResourceRef, selection: ObjectSelection = {}) => {
    const components = { api, changes, clock, random, log: silentLog };
    const informer = new Informer(components, ref as ResourceRef<ApiObject>, selection);
    started.push(informer);
    await informer.start();
    await clock.advance(100);
    expect(informer.synced).toBe(true);
  };
  const stop = () => Promise.all(started.map((informer) => informer.stop()));
  return { api, patterns, state, follow, stop };
}

test.each<[string, ResourceRef, ObjectSelection, string | undefined]>([
  ["a whole resource", configMaps, {}, "keelson.c.e.all._.configmaps.>"],
  ["the pods of a node", pods, { fieldSelector: "spec.nodeName=n.1" }, "keelson.c.e.node.n_2e1._.pods.>"],
  ["a sensitive kind", secrets, {}, undefined],
  ["a version that is not stored", events, {}, undefined],
  ["a namespace", configMaps, { namespace: "x" }, undefined],
  ["labels", pods, { labelSelector: "a=b" }, undefined],
  ["other fields", pods, { fieldSelector: "spec.nodeName!=n1" }, undefined],
  ["more than the node", pods, { fieldSelector: "spec.nodeName=n1,status.phase=Running" }, undefined],
])("%s is followed as it can be proven", async (_, ref, selection, pattern) => {
  const it = await open();
  await it.follow(ref, selection);
  expect(it.patterns).toEqual(pattern === undefined ? [] : [pattern, "keelson.c.e.heads"]);
  expect(it.api.openWatches).toBe(1);
  await it.stop();
  expect(it.api.openWatches).toBe(0);
});

test("the place on the bus is asked for once by all followers, and where there is none, all go by watch", async () => {
  const it = await open();
  await it.follow(configMaps);
  await it.follow(pods);
  expect(it.state.asked).toBe(1);
  await it.stop();
  const without = await open();
  without.state.membership = undefined;
  await without.follow(configMaps);
  expect(without.patterns).toEqual([]);
  expect(without.api.openWatches).toBe(1);
  await without.stop();
});
