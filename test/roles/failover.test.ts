import { afterEach, beforeEach, expect, test } from "vitest";
import type { ApiClient } from "../../lib/client/api-client.ts";
import { silentLog } from "../../lib/core/log.ts";
import type { Startable } from "../../lib/core/startable.ts";
import { serviceUnavailable } from "../../lib/core/status-error.ts";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { deployments, leases, nodes, pods } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { ControllerManager } from "../../services/controller-manager/controller-manager.ts";
import { Scheduler } from "../../services/scheduler/scheduler.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { eventually } from "../kit/eventually.ts";

const LEASE = { leaseDurationMs: 1_500, renewDeadlineMs: 1_000, retryPeriodMs: 200 };
const components = { clock: realClock, random: realRandom, log: silentLog };

let fixture: ApiFixture;
const running: Startable[] = [];
beforeEach(async () => {
  fixture = await startApi();
  await fixture.client.create(nodes, { metadata: { name: "n" } });
  const status = {
    allocatable: { cpu: "64", memory: "64Gi", pods: "500" },
    conditions: [{ type: "Ready", status: "True" }],
  };
  await fixture.client.patch(nodes, { name: "n" }, { type: "merge", body: { status } }, { subresource: "status" });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((role) => role.stop()));
  await fixture.stop();
});

/** One replica of both roles, with a line to the API that can be cut. */
async function replica(identity: string) {
  const line = { cut: false };
  const api: ApiClient = new Proxy(fixture.client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        if (line.cut) return Promise.reject(serviceUnavailable("cut off"));
        return Reflect.apply(member, target, args);
      };
    },
  });
  const options = { identity, lease: LEASE };
  const registry = loadRegistry(kindDescriptors);
  const scheduler = new Scheduler({ ...components, api }, options);
  const manager = new ControllerManager({ ...components, api, registry }, { ...options, rootCaPem: "PEM" });
  running.push(scheduler, manager);
  await Promise.all([scheduler.start(), manager.start()]);
  return { line, scheduler, manager };
}

async function deploy(name: string, replicas: number) {
  const labels = { app: name };
  await fixture.client.create(deployments, {
    metadata: { name, namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  });
}

async function boundPods(name: string): Promise<number> {
  const { items } = await fixture.client.list(pods, { namespace: "default", labelSelector: `app=${name}` });
  return items.filter((pod) => pod.spec?.nodeName !== undefined).length;
}

test("F1, F2: when the leader is cut off the other takes over, nothing is done twice, and the first writes nothing on its return", async () => {
  const first = await replica("first");
  await eventually(() => expect([first.scheduler.leading, first.manager.leading]).toEqual([true, true]));
  const second = await replica("second");
  await deploy("before", 20);
  await eventually(async () => expect(await boundPods("before")).toBe(20));
  await deploy("during", 30);
  first.line.cut = true;
  const cutMs = performance.now();
  await eventually(() => expect([second.scheduler.leading, second.manager.leading]).toEqual([true, true]));
  expect([first.scheduler.leading, first.manager.leading]).toEqual([false, false]);
  await eventually(async () => expect(await boundPods("during")).toBe(30));
  expect(performance.now() - cutMs).toBeLessThan(15_000);
  first.line.cut = false;
  await deploy("after", 10);
  await eventually(async () => expect(await boundPods("after")).toBe(10));
  for (const [name, count] of [
    ["before", 20],
    ["during", 30],
    ["after", 10],
  ] as const) {
    const { items } = await fixture.client.list(pods, { namespace: "default", labelSelector: `app=${name}` });
    expect(items).toHaveLength(count);
  }
  expect([first.scheduler.leading, first.manager.leading]).toEqual([false, false]);
  const lease = await fixture.client.get(leases, { namespace: "kube-system", name: "kube-scheduler" });
  expect(lease.spec).toMatchObject({ holderIdentity: "second", leaseTransitions: 1 });
});

test("a leader that is stopped hands over at once", async () => {
  const first = await replica("first");
  await eventually(() => expect(first.scheduler.leading).toBe(true));
  const second = await replica("second");
  const stoppedMs = performance.now();
  await Promise.all([first.scheduler.stop(), first.manager.stop()]);
  await eventually(() => expect([second.scheduler.leading, second.manager.leading]).toEqual([true, true]), {
    intervalMs: 20,
  });
  expect(performance.now() - stoppedMs).toBeLessThan(1_500);
});
