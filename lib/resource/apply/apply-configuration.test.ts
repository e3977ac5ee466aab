import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import type { ManagedFieldsEntry } from "../../gen/k8s/meta/v1.ts";
import { cloneJson, type JsonObject } from "../json-value.ts";
import { loadRegistry } from "../registry.ts";
import type { MessageSchema } from "../schema.ts";
import { type Applied, applyConfiguration, trackUpdate } from "./apply-configuration.ts";

const registry = loadRegistry(kindDescriptors);

function schemaOf(group: string, kind: string): MessageSchema {
  const schema = registry.schemaOfKind(group, "v1", kind);
  if (schema === undefined) throw new Error(`no kind ${kind}`);
  return schema;
}

const deployment = schemaOf("apps", "Deployment");
const base = {
  schema: deployment,
  apiVersion: "apps/v1",
  subresource: "",
  ignoredPaths: ["status"],
  time: "2026-01-01T00:00:00Z",
};

function object(spec: JsonObject, labels?: JsonObject): JsonObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", ...(labels === undefined ? {} : { labels }) },
    spec,
  };
}

function apply(live: Applied | undefined, manager: string, config: JsonObject, force = false): Applied {
  const before = cloneJson(config);
  const applied = applyConfiguration(live?.object, live?.managedFields ?? [], config, { ...base, manager, force });
  expect(config).toEqual(before);
  return applied;
}

function update(live: Applied, manager: string, now: JsonObject): Applied {
  return { object: now, managedFields: trackUpdate(live.object, now, live.managedFields, { ...base, manager }) };
}

/** What each manager owns, by `name/operation`. */
function owners({ managedFields }: { managedFields: readonly ManagedFieldsEntry[] }): Record<string, unknown> {
  return Object.fromEntries(
    managedFields.map((entry) => [`${entry.manager}/${entry.operation}`, entry.fieldsV1?.parse()]),
  );
}

const container = (name: string, more: JsonObject = {}): JsonObject => ({ name, image: "x", ...more });
const pods = (...containers: JsonObject[]): JsonObject => ({ template: { spec: { containers } } });

describe("the first apply", () => {
  test("creates what is wanted and owns its leaves and items", () => {
    const applied = apply(
      undefined,
      "me",
      object(
        { replicas: 2, ...pods(container("a", { ports: [{ containerPort: 80 }], resources: {} })) },
        { app: "web" },
      ),
    );
    expect(applied.object).toMatchObject({ metadata: { name: "web", labels: { app: "web" } }, spec: { replicas: 2 } });
    expect(applied.managedFields[0]).toMatchObject({
      manager: "me",
      operation: "Apply",
      apiVersion: "apps/v1",
      time: base.time,
      fieldsType: "FieldsV1",
    });
    expect(owners(applied)["me/Apply"]).toEqual({
      "f:metadata": { "f:labels": { "f:app": {} } },
      "f:spec": {
        "f:replicas": {},
        "f:template": {
          "f:spec": {
            "f:containers": {
              'k:{"name":"a"}': {
                ".": {},
                "f:image": {},
                "f:name": {},
                "f:ports": { 'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } },
                "f:resources": {},
              },
            },
          },
        },
      },
    });
  });

  test("of an object that nobody applied finds it owned by before-first-apply", () => {
    const live = { object: object({ replicas: 1, paused: true }), managedFields: [] };
    const same = apply(live, "me", object({ replicas: 1 }));
    expect(owners(same)).toEqual({
      "me/Apply": { "f:spec": { "f:replicas": {} } },
      "before-first-apply/Update": { "f:spec": { "f:paused": {}, "f:replicas": {} } },
    });
    expect(() => apply(live, "me", object({ replicas: 2 }))).toThrow(
      'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1 at 2026-01-01T00:00:00Z: .spec.replicas',
    );
  });
});

describe("applying again", () => {
  const first = apply(
    undefined,
    "me",
    object({ replicas: 2, ...pods(container("a"), container("b")) }, { app: "web", tier: "x" }),
  );

  test("changes what changed and takes away what is wanted no more", () => {
    const second = apply(first, "me", object({ replicas: 3, ...pods(container("b", { image: "y" })) }, { app: "web" }));
    expect(second.object).toMatchObject({ metadata: { labels: { app: "web" } }, spec: { replicas: 3 } });
    expect(second.object).toHaveProperty("spec.template.spec.containers", [{ name: "b", image: "y" }]);
    expect(second.object).not.toHaveProperty("metadata.labels.tier");
  });

  test("the same changes nothing, the time of the record neither", () => {
    const later = applyConfiguration(
      first.object,
      first.managedFields,
      object({ replicas: 2, ...pods(container("a"), container("b")) }, { app: "web", tier: "x" }),
      { ...base, manager: "me", force: false, time: "2027-01-01T00:00:00Z" },
    );
    expect(later).toEqual(first);
  });

  test("nothing at all takes everything away but the object itself", () => {
    const bare = apply(first, "me", { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" } });
    expect(bare.object).toEqual({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" } });
    expect(bare.managedFields).toEqual([]);
  });

  test("what others own stays", () => {
    const shared = apply(first, "you", object({ replicas: 2 }, { tier: "x" }));
    const second = apply(shared, "me", object(pods(container("a")), { app: "web" }));
    expect(second.object).toMatchObject({ metadata: { labels: { tier: "x" } }, spec: { replicas: 2 } });
    expect(owners(second)["you/Apply"]).toEqual({
      "f:metadata": { "f:labels": { "f:tier": {} } },
      "f:spec": { "f:replicas": {} },
    });
  });

  test("items stand in the order of who applies, others between them", () => {
    const live = {
      object: object(pods(container("s"), container("a"), container("b"))),
      managedFields: first.managedFields,
    };
    const second = apply(
      live,
      "me",
      object({ replicas: 2, ...pods(container("b"), container("a")) }, { app: "web", tier: "x" }),
    );
    expect(second.object).toHaveProperty("spec.template.spec.containers", [
      container("s"),
      container("b"),
      container("a"),
    ]);
  });

  test("a value that is set back to zero is set", () => {
    const paused = apply(undefined, "me", object({ paused: true }));
    expect(apply(paused, "me", object({ paused: false })).object).toHaveProperty("spec.paused", false);
  });
});

describe("two managers", () => {
  const first = apply(undefined, "me", object({ replicas: 2, minReadySeconds: 5 }, { a: "1" }));

  test("may want the same", () => {
    const both = apply(first, "you", object({ replicas: 2 }));
    expect(owners(both)).toMatchObject({
      "me/Apply": { "f:spec": { "f:replicas": {} } },
      "you/Apply": { "f:spec": { "f:replicas": {} } },
    });
  });

  test("conflict over what differs, with a cause for each field", () => {
    const act = (): unknown => apply(first, "you", object({ replicas: 3, minReadySeconds: 6 }, { b: "2" }));
    expect(act).toThrow(
      expect.objectContaining({
        code: 409,
        reason: "Conflict",
        message: 'Apply failed with 2 conflicts: conflicts with "me":\n- .spec.minReadySeconds\n- .spec.replicas',
        details: {
          causes: [
            { reason: "FieldManagerConflict", message: 'conflict with "me"', field: ".spec.minReadySeconds" },
            { reason: "FieldManagerConflict", message: 'conflict with "me"', field: ".spec.replicas" },
          ],
        },
      }),
    );
  });

  test("the one that insists becomes the owner", () => {
    const forced = apply(first, "you", object({ replicas: 3 }), true);
    expect(forced.object).toHaveProperty("spec.replicas", 3);
    expect(owners(forced)).toEqual({
      "me/Apply": { "f:metadata": { "f:labels": { "f:a": {} } }, "f:spec": { "f:minReadySeconds": {} } },
      "you/Apply": { "f:spec": { "f:replicas": {} } },
    });
  });

  test("an ordinary write takes what it changes", () => {
    const scaled = update(first, "scaler", object({ replicas: 9, minReadySeconds: 5 }, { a: "1" }));
    expect(owners(scaled)).toEqual({
      "me/Apply": { "f:metadata": { "f:labels": { "f:a": {} } }, "f:spec": { "f:minReadySeconds": {} } },
      "scaler/Update": { "f:spec": { "f:replicas": {} } },
    });
    expect(() => apply(scaled, "me", object({ replicas: 2, minReadySeconds: 5 }, { a: "1" }))).toThrow(
      'conflict with "scaler" using apps/v1',
    );
    expect(apply(scaled, "me", object({ minReadySeconds: 5 }, { a: "1" })).object).toHaveProperty("spec.replicas", 9);
  });

  test("an ordinary write that removes leaves nobody the owner", () => {
    expect(owners(update(first, "cleaner", object({ replicas: 2 })))).toEqual({
      "me/Apply": { "f:spec": { "f:replicas": {} } },
    });
  });

  test("what an ordinary write adds is its own, with its parents", () => {
    const added = update(
      first,
      "adder",
      object({ replicas: 2, minReadySeconds: 5, ...pods(container("a")) }, { a: "1" }),
    );
    expect(owners(added)["adder/Update"]).toMatchObject({
      "f:spec": {
        "f:template": {
          ".": {},
          "f:spec": { ".": {}, "f:containers": { ".": {}, 'k:{"name":"a"}': { ".": {}, "f:image": {} } } },
        },
      },
    });
  });

  test("an item goes with whoever made it, whatever others changed in it", () => {
    const created = apply(undefined, "me", object(pods(container("a"), container("b"))));
    const changed = update(created, "you", object(pods(container("a", { image: "y" }), container("b"))));
    const without = apply(changed, "me", object(pods(container("b"))));
    expect(without.object).toHaveProperty("spec.template.spec.containers", [container("b")]);
    expect(owners(without)).not.toHaveProperty("you/Update");
  });

  test("what stands twice in a stored list is left alone, and owned as one", () => {
    const env = (...values: string[]): JsonObject =>
      pods(container("a", { env: values.map((value) => ({ name: "X", value })) }));
    const created = apply(undefined, "me", object(env("1")));
    const doubled = update(created, "you", object(env("1", "2")));
    const path = ["f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"a"}', "f:env", 'k:{"name":"X"}'];
    expect(owners(doubled)["you/Update"]).toHaveProperty(path, {});
    expect(owners(doubled)["me/Apply"]).not.toHaveProperty(path);
    const other = apply(doubled, "me", object({ replicas: 1, ...pods(container("a")) }));
    expect(other.object).toHaveProperty("spec.template.spec.containers[0].env", [
      { name: "X", value: "1" },
      { name: "X", value: "2" },
    ]);
  });

  test("the version of the API that an applier speaks does not matter", () => {
    const next = applyConfiguration(first.object, first.managedFields, object({ replicas: 4 }), {
      ...base,
      apiVersion: "apps/v2",
      manager: "me",
      force: false,
    });
    expect(next.managedFields).toHaveLength(1);
    expect(next.object).toHaveProperty("spec", { replicas: 4 });
  });

  test("a write that changes nothing changes no record", () => {
    expect(update(first, "idle", first.object).managedFields).toEqual(first.managedFields);
  });

  test("objects that nobody applied carry no record", () => {
    expect(trackUpdate(object({ replicas: 1 }), object({ replicas: 2 }), [], { ...base, manager: "x" })).toEqual([]);
  });
});

describe("what kubectl applied before by itself", () => {
  const annotation = "kubectl.kubernetes.io/last-applied-configuration";
  const applied = object({ replicas: 1, paused: true });
  const live = {
    object: {
      ...applied,
      metadata: { name: "web", annotations: { [annotation]: JSON.stringify(applied) } },
      spec: { replicas: 1, paused: false },
    },
    managedFields: [],
  };

  test("is kubectl's to change while nobody else has", () => {
    expect(apply(live, "kubectl", object({ replicas: 2 })).object).toHaveProperty("spec.replicas", 2);
    expect(() => apply(live, "helm", object({ replicas: 2 }))).toThrow(".spec.replicas");
  });

  test("but not what was changed since", () => {
    expect(() => apply(live, "kubectl", object({ replicas: 1, paused: true }))).toThrow(".spec.paused");
  });
});

describe("a configuration", () => {
  test("brings no record of its own", () => {
    const config = object({});
    (config["metadata"] as JsonObject)["managedFields"] = [{ manager: "x" }];
    expect(() => apply(undefined, "me", config)).toThrow("metadata.managedFields must be nil");
  });

  test("names each item once, and by its key", () => {
    expect(() => apply(undefined, "me", object(pods(container("a"), container("a"))))).toThrow(
      'duplicate entries for key [name="a"]',
    );
    expect(() => apply(undefined, "me", object(pods({ image: "x" })))).toThrow('omits key field "name"');
  });

  test("does not reach what its way of writing leaves alone", () => {
    const config = { ...object({ replicas: 1 }), status: { replicas: 7 } };
    const created = apply(undefined, "me", config);
    expect(created.object).not.toHaveProperty("status");
    expect(owners(created)["me/Apply"]).toEqual({ "f:spec": { "f:replicas": {} } });
  });

  test("does not own what the schema does not know", () => {
    expect(owners(apply(undefined, "me", object({ replicas: 1, foo: { bar: 1 } })))).toEqual({
      "me/Apply": { "f:spec": { "f:replicas": {} } },
    });
  });

  test("says nothing by null", () => {
    expect(apply(undefined, "me", object({ replicas: 1, paused: null })).object).toHaveProperty("spec", {
      replicas: 1,
    });
  });

  test("treats atomic values as one", () => {
    const selector = { matchLabels: { a: "1" } };
    const created = apply(undefined, "me", object({ selector }));
    expect(owners(created)["me/Apply"]).toEqual({ "f:spec": { "f:selector": {} } });
    expect(apply(created, "me", object({ selector: { matchLabels: { b: "2" } } })).object).toHaveProperty(
      "spec.selector",
      { matchLabels: { b: "2" } },
    );
  });

  test("keeps __proto__ as a name like any other", () => {
    const labels = JSON.parse('{"__proto__":"x"}') as JsonObject;
    const created = apply(undefined, "me", object({}, labels));
    expect(Object.keys((created.object["metadata"] as JsonObject)["labels"] as JsonObject)).toEqual(["__proto__"]);
  });
});

test("sets own their values", () => {
  const pod = schemaOf("", "ConfigMap");
  const write = { ...base, schema: pod, apiVersion: "v1", manager: "me", force: false };
  const config = (finalizers: string[]): JsonObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "c", finalizers },
  });
  const first = applyConfiguration(undefined, [], config(["a/b", "c/d"]), write);
  expect(owners(first)["me/Apply"]).toEqual({ "f:metadata": { "f:finalizers": { 'v:"a/b"': {}, 'v:"c/d"': {} } } });
  const second = applyConfiguration(first.object, first.managedFields, config(["c/d"]), write);
  expect(second.object).toHaveProperty("metadata.finalizers", ["c/d"]);
});
