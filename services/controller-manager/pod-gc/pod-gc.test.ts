import { afterEach, expect, test } from "vitest";
import { nodes, pods } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerManager } from "../controller-manager.ts";
import { managerWorld } from "../testkit/manager-world.ts";

const running: ControllerManager[] = [];
afterEach(async () => {
  for (const manager of running.splice(0)) await manager.stop();
});

test("pods of a node that is gone for good are taken away, others stay", async () => {
  const { api, clock, manager } = managerWorld(["pod-garbage-collector"]);
  running.push(manager);
  await api.create(nodes, { metadata: { name: "n" } });
  const make = (name: string, nodeName?: string, finalizers?: string[]) =>
    api.create(pods, {
      metadata: { name, namespace: "x", ...(finalizers === undefined ? {} : { finalizers }) },
      spec: nodeName === undefined ? {} : { nodeName },
    });
  await make("here", "n");
  await make("lost", "gone");
  await make("waiting");
  await make("unborn", undefined, ["hold"]);
  await manager.start();
  await clock.advance(30_000);
  expect((await api.list(pods)).items).toHaveLength(4);
  await clock.advance(31_000);
  expect((await api.list(pods)).items.map((pod) => pod.metadata?.name)).toEqual(["here", "unborn", "waiting"]);
  const writes = api.writes.length;
  await clock.advance(600_000);
  expect(api.writes.length).toBe(writes);
});

test("a node that comes back in time keeps its pods", async () => {
  const { api, clock, manager } = managerWorld(["pod-garbage-collector"]);
  running.push(manager);
  await api.create(pods, { metadata: { name: "p", namespace: "x" }, spec: { nodeName: "n" } });
  await manager.start();
  await clock.advance(30_000);
  await api.create(nodes, { metadata: { name: "n" } });
  await clock.advance(120_000);
  expect((await api.list(pods)).items).toHaveLength(1);
});
