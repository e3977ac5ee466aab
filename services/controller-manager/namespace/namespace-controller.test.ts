import { afterEach, expect, test } from "vitest";
import { serviceUnavailable } from "../../../lib/core/status-error.ts";
import { configMaps, namespaces, pods, serviceAccounts } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerManager } from "../controller-manager.ts";
import { managerWorld } from "../testkit/manager-world.ts";

const running: ControllerManager[] = [];
afterEach(async () => {
  for (const manager of running.splice(0)) await manager.stop();
});

async function world() {
  const made = managerWorld(["serviceaccount", "root-ca-certificate-publisher", "namespace"]);
  running.push(made.manager);
  await made.manager.start();
  return made;
}

const ROOT_CA = { namespace: "team", name: "kube-root-ca.crt" };

test("a namespace gets its ServiceAccount and the authorities; both are restored", async () => {
  const { api, clock } = await world();
  await api.create(namespaces, { metadata: { name: "team" } });
  await clock.advance(100);
  expect((await api.get(serviceAccounts, { namespace: "team", name: "default" })).metadata?.name).toBe("default");
  expect((await api.get(configMaps, ROOT_CA)).data).toEqual({ "ca.crt": "PEM\n" });
  await api.patch(configMaps, ROOT_CA, { type: "merge", body: { data: { "ca.crt": "forged", more: "x" } } });
  await api.delete(serviceAccounts, { namespace: "team", name: "default" });
  await clock.advance(100);
  expect((await api.get(configMaps, ROOT_CA)).data).toEqual({ "ca.crt": "PEM\n" });
  await api.get(serviceAccounts, { namespace: "team", name: "default" });
  await api.delete(configMaps, ROOT_CA);
  await clock.advance(100);
  expect((await api.get(configMaps, ROOT_CA)).data).toEqual({ "ca.crt": "PEM\n" });
  const before = api.writes.length;
  await clock.advance(600_000);
  expect(api.writes.length).toBe(before);
});

test("a deleted namespace is emptied, pods first, and goes", async () => {
  const { api, clock } = await world();
  await api.create(namespaces, { metadata: { name: "team" } });
  await api.create(pods, {
    metadata: { name: "p", namespace: "team" },
    spec: { nodeName: "n", terminationGracePeriodSeconds: 20 },
  });
  await api.create(configMaps, { metadata: { name: "c", namespace: "team" } });
  await clock.advance(100);
  await api.delete(namespaces, { name: "team" });
  await clock.advance(5_000);
  const dying = await api.get(namespaces, { name: "team" });
  expect(dying.status?.phase).toBe("Terminating");
  expect(dying.status?.conditions?.find((condition) => condition.type === "NamespaceContentRemaining")).toMatchObject({
    status: "True",
    reason: "SomeResourcesRemain",
    message: "Some resources are remaining: pods. has 1 resource instances",
  });
  expect((await api.list(configMaps, { namespace: "team" })).items).toHaveLength(2);
  await api.delete(pods, { namespace: "team", name: "p" }, { gracePeriodSeconds: 0 });
  await clock.advance(5_000);
  await expect(api.get(namespaces, { name: "team" })).rejects.toMatchObject({ code: 404 });
  expect((await api.list(configMaps, { namespace: "team" })).items).toEqual([]);
  expect((await api.list(serviceAccounts, { namespace: "team" })).items).toEqual([]);
});

test("a finalizer on content holds the namespace and is named", async () => {
  const { api, clock } = await world();
  await api.create(namespaces, { metadata: { name: "team" } });
  await api.create(configMaps, { metadata: { name: "held", namespace: "team", finalizers: ["example.com/f"] } });
  await clock.advance(100);
  await api.delete(namespaces, { name: "team" });
  await clock.advance(5_000);
  const dying = await api.get(namespaces, { name: "team" });
  expect(
    dying.status?.conditions?.find((condition) => condition.type === "NamespaceFinalizersRemaining"),
  ).toMatchObject({
    status: "True",
    message: "Some content in the namespace has finalizers remaining: example.com/f in 1 resource instances",
  });
  await api.patch(
    configMaps,
    { namespace: "team", name: "held" },
    { type: "merge", body: { metadata: { finalizers: null } } },
  );
  await clock.advance(5_000);
  await expect(api.get(namespaces, { name: "team" })).rejects.toMatchObject({ code: 404 });
});

test("F1: killed and failing at any write, deletion still ends", async () => {
  for (let failAt = 1; failAt < 12; failAt++) {
    const { api, clock, manager, open } = managerWorld(["namespace"], failAt);
    await api.create(namespaces, { metadata: { name: "team" } });
    for (const name of ["a", "b"]) await api.create(configMaps, { metadata: { name, namespace: "team" } });
    await api.delete(namespaces, { name: "team" });
    let calls = 0;
    api.before = () => {
      if (++calls === failAt) throw serviceUnavailable("fault");
    };
    await manager.start();
    await clock.advance(1);
    await manager.stop();
    const successor = open();
    await successor.start();
    await clock.advance(60_000);
    await expect(api.get(namespaces, { name: "team" })).rejects.toMatchObject({ code: 404 });
    await successor.stop();
    expect(clock.pendingTimers).toBe(0);
    expect(api.openWatches).toBe(0);
  }
});
