import { expect, test } from "vitest";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { Codec } from "../../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import { AdmissionChain, type AdmissionPlugin, type AdmissionRequest } from "../admission/admission.ts";
import { CachedObject } from "../cache/cached-object.ts";
import { MemoBudget } from "../cache/memo-budget.ts";
import { KindTable } from "./kind-table.ts";
import { LibMachinery } from "./lib-machinery.ts";
import type { Call, Target } from "./request.ts";
import { defaultWriteOptions } from "./request.ts";
import { WritePipeline } from "./write-pipeline.ts";

const codec = new Codec();
const registry = loadRegistry(kindDescriptors);
const kinds = new KindTable(registry, codec);
const maps = kinds.get("", "v1", "configmaps");
const call: Call = { identity: { user: "u", groups: [] }, signal: new AbortController().signal, warnings: [] };

function pipelineWith(...plugins: AdmissionPlugin[]): WritePipeline {
  const machinery = new LibMachinery(codec, registry);
  return new WritePipeline({
    machinery,
    admission: new AdmissionChain(plugins),
    clock: new VirtualClock(),
    random: new SeededRandom(1),
  });
}

function target(name: string): Target {
  return { kind: maps, namespace: "default", name, subresource: "" };
}

function stored(data: Record<string, string>): CachedObject {
  const object = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "m", namespace: "default", uid: "u-1" },
    data,
  };
  const at = { kind: maps.stored, namespace: "default", name: "m" };
  return new CachedObject(at, { revision: 7, stored: maps.stored.encodeStored(object) }, new MemoBudget(1_000_000));
}

test("invariant 25: admission sees the object that is stored, and the stored object as the old one", async () => {
  const seen: AdmissionRequest[] = [];
  const mutating: AdmissionPlugin = {
    name: "mutates",
    mutate(request) {
      if (request.object?.metadata !== undefined) request.object.metadata.labels = { added: "yes" };
    },
    validate(request) {
      seen.push(request);
    },
  };
  const pipeline = pipelineWith(mutating);
  const current = stored({ a: "old" });
  const wanted = { metadata: { name: "m", namespace: "default" }, data: { a: "new" } };
  const object = await pipeline.forUpdate(wanted, current, target("m"), call, defaultWriteOptions);
  expect(seen[0]?.object).toBe(object);
  expect(seen[0]?.object?.metadata?.labels).toEqual({ added: "yes" });
  expect(seen[0]?.old).toBe(current.object());
  expect(seen[0]?.old?.["data"]).toEqual({ a: "old" });
  expect(Object.isFrozen(seen[0]?.old)).toBe(true);
});

test("what a mutating plugin does wrong is found by validation, and no validating plugin is asked", async () => {
  let isAsked = false;
  const broken: AdmissionPlugin = {
    name: "broken",
    mutate(request) {
      if (request.object?.metadata !== undefined) request.object.metadata.labels = { "not a label": "x" };
    },
    validate() {
      isAsked = true;
    },
  };
  const object = { metadata: { name: "m", namespace: "default" } };
  const made = pipelineWith(broken).forCreate(object, target(""), call, defaultWriteOptions);
  await expect(made).rejects.toMatchObject({ code: 422, reason: "Invalid" });
  expect(isAsked).toBe(false);
});

test("what only the system writes is not taken from a client", async () => {
  const sent = {
    metadata: {
      name: "m",
      namespace: "default",
      uid: "mine",
      generation: 9,
      deletionTimestamp: "2020-01-01T00:00:00Z",
      creationTimestamp: "2020-01-01T00:00:00Z",
      selfLink: "/x",
    },
  };
  const { metadata } = await pipelineWith().forCreate(sent, target(""), call, defaultWriteOptions);
  expect(metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
  expect(metadata?.creationTimestamp).not.toBe("2020-01-01T00:00:00Z");
  expect(metadata).not.toHaveProperty("deletionTimestamp");
  expect(metadata).not.toHaveProperty("generation");
  expect(metadata).not.toHaveProperty("selfLink");
});
