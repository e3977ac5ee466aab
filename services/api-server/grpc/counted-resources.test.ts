import { expect, test } from "vitest";
import { forbidden } from "../../../lib/core/status-error.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { Codec } from "../../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import type { ServerCall } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import { KindTable } from "../core/kind-table.ts";
import type { RequestLabels } from "../rest/metrics.ts";
import { countedResources } from "./counted-resources.ts";
import type { ResourcesHandlers } from "./resources-service.ts";

const kinds = new KindTable(loadRegistry(kindDescriptors), new Codec());
const pods = { group: "", version: "v1", resource: "pods", namespace: "default", name: "", subresource: "" };
const call = (signal = new AbortController().signal) => ({ signal }) as ServerCall;

function counting(handlers: Record<string, unknown>) {
  const told: string[] = [];
  const answered = ({ verb, resource, subresource, scope }: RequestLabels, code: number) =>
    void told.push(`${verb} ${resource}/${subresource} ${scope} ${code}`);
  const components = { metrics: { answered }, kinds, clock: new VirtualClock() };
  const counted = countedResources(handlers as unknown as ResourcesHandlers, components);
  return { told, counted: counted as unknown as Record<string, (...args: unknown[]) => never> };
}

test("calls are counted by what they are about, with the code that REST would have answered", async () => {
  const denied = new RpcError("PERMISSION_DENIED", "no", {
    cause: forbidden({ group: "", resource: "pods" }, "p", "no"),
  });
  const { told, counted } = counting({
    list: async () => ({}),
    create: async () => {
      throw denied;
    },
    transact: async () => ({}),
  });
  await counted["list"]!({ target: pods }, call());
  await expect(counted["create"]!({ target: { ...pods, name: "p", subresource: "binding" } }, call())).rejects.toBe(
    denied,
  );
  await counted["transact"]!({ operations: [] }, call());
  expect(told).toEqual(["LIST pods/ namespace 200", "CREATE pods/binding resource 403", "TRANSACT /  200"]);
});

test("a watch is counted at its end, also when its client goes away", async () => {
  const gone = new AbortController();
  const { told, counted } = counting({
    async *watch(_: unknown, { signal }: ServerCall) {
      yield 1;
      if (signal.aborted) throw signal.reason;
    },
  });
  for await (const _ of counted["watch"]!({ target: pods }, call()) as AsyncIterable<unknown>);
  const rest = counted["watch"]!({ target: pods }, call(gone.signal)) as AsyncIterable<unknown>;
  await expect(
    (async () => {
      for await (const _ of rest) gone.abort(new RpcError("CANCELLED", "gone"));
    })(),
  ).rejects.toThrow("gone");
  expect(told).toEqual(["WATCH pods/ namespace 200", "WATCH pods/ namespace 499"]);
});

test("what nobody serves is no label", async () => {
  const { told, counted } = counting({ get: async () => ({}) });
  await counted["get"]!({ target: { ...pods, resource: "x".repeat(100) } }, call());
  await counted["get"]!({ target: { ...pods, name: "p", subresource: "y".repeat(100) } }, call());
  expect(told).toEqual(["GET /  200", "GET pods/ resource 200"]);
});
