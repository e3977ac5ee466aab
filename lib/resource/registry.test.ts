import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../gen/k8s/descriptors.ts";
import { loadRegistry } from "./registry.ts";
import type { MessageSchema } from "./schema.ts";

const registry = loadRegistry(kindDescriptors);

function field(message: string, jsonName: string) {
  const found = registry.message(message)?.fields.find((one) => one.jsonName === jsonName);
  if (found === undefined) throw new Error(`${message} has no ${jsonName}`);
  return found;
}

describe("resources", () => {
  test("one is found by plural and by kind, with what REST needs", () => {
    const deployment = registry.resource("apps", "v1", "deployments");
    expect(deployment).toBe(registry.resourceOfKind("apps", "v1", "Deployment"));
    expect(deployment).toMatchObject({
      kind: "Deployment",
      singular: "deployment",
      shortNames: ["deploy"],
      namespaced: true,
      hasStatus: true,
      stored: true,
      storage: { prefix: "deployments", group: "apps", version: "v1" },
      immutablePaths: ["spec.selector"],
    });
    expect(deployment?.subresources.find(({ name }) => name === "scale")).toMatchObject({
      group: "autoscaling",
      version: "v1",
      kind: "Scale",
    });
    expect(deployment?.schema.name).toBe("k8s.io.api.apps.v1.Deployment");
    expect(deployment?.listSchema?.name).toBe("k8s.io.api.apps.v1.DeploymentList");
  });

  test("what is absent is undefined", () => {
    expect(registry.resource("apps", "v1beta1", "deployments")).toBeUndefined();
    expect(registry.resourceOfKind("", "v1", "PodList")).toBeUndefined();
    expect(registry.message("k8s.io.api.core.v1.Nothing")).toBeUndefined();
  });

  test("both Event kinds share the storage of the core group's", () => {
    const [core, events] = [registry.resource("", "v1", "events"), registry.resource("events.k8s.io", "v1", "events")];
    expect(events?.storage).toEqual(core?.storage);
    expect(events?.storageVersionHash).toBe(core?.storageVersionHash);
    expect(core?.storage).toEqual({ prefix: "events", group: "", version: "v1", ttlSeconds: 3600 });
  });

  test("kinds that are only asked are not stored", () => {
    expect(registry.resource("authentication.k8s.io", "v1", "tokenreviews")).toMatchObject({
      stored: false,
      verbs: ["create"],
    });
    expect(registry.resource("", "v1", "componentstatuses")?.stored).toBe(false);
  });

  test("group versions come in the order of discovery, resources by name", () => {
    expect(registry.groupVersions().map(({ group }) => group)).toEqual([
      "",
      "apps",
      "events.k8s.io",
      "authentication.k8s.io",
      "certificates.k8s.io",
      "policy",
      "scheduling.k8s.io",
      "coordination.k8s.io",
    ]);
    const names = registry.resourcesOf("", "v1").map(({ resource }) => resource);
    expect(names).toEqual([...names].sort());
    expect(names).toContain("pods");
  });
});

describe("kinds beside resources", () => {
  test("options belong to every group version that is served, and to no other", () => {
    expect(registry.schemaOfKind("apps", "v1", "DeleteOptions")?.name).toMatch(/meta\.v1\.DeleteOptions$/);
    expect(registry.schemaOfKind("", "v1", "DeleteOptions")?.name).toMatch(/meta\.v1\.DeleteOptions$/);
    expect(registry.schemaOfKind("apps", "v9", "DeleteOptions")).toBeUndefined();
  });

  test("Status is the core group's, lists and bodies of subresources their own group's", () => {
    expect(registry.schemaOfKind("", "v1", "Status")?.isKind).toBe(true);
    expect(registry.schemaOfKind("apps", "v1", "Status")).toBeUndefined();
    expect(registry.schemaOfKind("", "v1", "PodList")?.name).toBe("k8s.io.api.core.v1.PodList");
    expect(registry.schemaOfKind("policy", "v1", "Eviction")?.isKind).toBe(true);
    expect(registry.schemaOfKind("autoscaling", "v1", "Scale")?.isKind).toBe(true);
    expect(registry.schemaOfKind("authentication.k8s.io", "v1", "TokenRequest")?.isKind).toBe(true);
  });
});

describe("schemas", () => {
  const pod = "k8s.io.api.core.v1.PodSpec";

  test("a schema is built once and may refer to itself", () => {
    const first = registry.message(pod);
    expect(registry.message(pod)).toBe(first);
    expect(field("k8s.io.api.core.v1.Pod", "spec").message?.()).toBe(first);
  });

  test("presence: messages have it unless told, scalars only when told", () => {
    expect(field(pod, "affinity").presence).toBe(true);
    expect(field(pod, "hostNetwork").presence).toBe(false);
    expect(field(pod, "terminationGracePeriodSeconds").presence).toBe(true);
    expect(field("k8s.io.api.core.v1.Pod", "spec").presence).toBe(false);
    expect(field(pod, "containers").presence).toBe(false);
    expect(field(pod, "nodeSelector").presence).toBe(false);
  });

  test("maps know their key and value", () => {
    expect(field(pod, "nodeSelector")).toMatchObject({ mapKey: "string", type: "string", repeated: false });
    const limits = field("k8s.io.api.core.v1.ResourceRequirements", "limits");
    expect(limits).toMatchObject({ mapKey: "string", type: "message", repeated: false });
    expect(limits.message?.().form).toBe("quantity");
  });

  test("lists know how they merge", () => {
    expect(field(pod, "containers")).toMatchObject({
      listType: "map",
      listMapKeys: ["name"],
      patchStrategy: "merge",
      patchMergeKey: "name",
    });
  });

  test("inlined members have no name of their own", () => {
    const volume = registry.message("k8s.io.api.core.v1.Volume");
    expect(volume?.fields.find(({ inlined }) => inlined)).toMatchObject({ jsonName: "", presence: false });
  });

  test("defaults and known values come from annotations", () => {
    expect(field(pod, "restartPolicy")).toMatchObject({
      default: { value: "Always" },
      enumValues: { values: ["Always", "OnFailure", "Never"], closed: true },
    });
    expect(field("k8s.io.api.apps.v1.DeploymentStrategy", "rollingUpdate").default).toEqual({
      value: {},
      when: { path: "type", values: ["RollingUpdate"] },
    });
    expect(registry.message("k8s.io.api.core.v1.Pod")?.defaults).toEqual([
      { path: "spec.enableServiceLinks", value: true },
    ]);
  });

  test("every schema can be built, and what it refers to is there", () => {
    const names = registry.messageNames();
    expect(names.length).toBeGreaterThan(300);
    const parts = names.flatMap((name) => registry.message(name)?.fields.map((one) => one.message?.()) ?? []);
    expect(parts.every((part: MessageSchema | undefined) => part === undefined || names.includes(part.name))).toBe(
      true,
    );
  });
});
