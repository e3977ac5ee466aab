import { describe, expect, test } from "vitest";
import { type Case, check, created, updated } from "./validation-check.suite.ts";

describe("metadata of a new object", () => {
  const cases: Case[] = [
    ["fine", "ConfigMap", {}, []],
    [
      "no name",
      "ConfigMap",
      { metadata: { name: "" } },
      ["Required metadata.name: Required value: name or generateName is required"],
    ],
    [
      "upper case",
      "ConfigMap",
      { metadata: { name: "Web" } },
      [
        /^Invalid metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of .* \(e\.g\. 'example\.com', regex used/,
      ],
    ],
    [
      "too long",
      "ConfigMap",
      { metadata: { name: "a".repeat(254) } },
      [`Invalid metadata.name: Invalid value: "${"a".repeat(254)}": must be no more than 253 characters`],
    ],
    [
      "a label's form",
      "Namespace",
      { metadata: { name: "a.b" } },
      ['Invalid metadata.name: Invalid value: "a.b": must not contain dots'],
    ],
    [
      "namespace on what has none",
      "Node",
      { metadata: { namespace: "x" } },
      ["Forbidden metadata.namespace: Forbidden: not allowed on this type"],
    ],
    ["no namespace", "ConfigMap", { metadata: { namespace: "" } }, ["Required metadata.namespace: Required value"]],
    [
      "label key",
      "ConfigMap",
      { metadata: { labels: { "-x": "y" } } },
      [/^Invalid metadata.labels: Invalid value: "-x": name part must consist of/],
    ],
    [
      "label value",
      "ConfigMap",
      { metadata: { labels: { x: "a b" } } },
      [/^Invalid metadata.labels: Invalid value: "a b": a valid label must be an empty string or consist of/],
    ],
    [
      "annotation key, whose case does not matter",
      "ConfigMap",
      { metadata: { annotations: { "A.Com/X": "", "a/b/c": "" } } },
      [/^Invalid metadata.annotations: Invalid value: "a\/b\/c"/],
    ],
    [
      "annotations too large",
      "ConfigMap",
      { metadata: { annotations: { a: "x".repeat(262144) } } },
      ["TooLong metadata.annotations: Too long: may not be more than 262144 bytes"],
    ],
    [
      "finalizer",
      "ConfigMap",
      { metadata: { finalizers: ["a b"] } },
      [/^Invalid metadata.finalizers: Invalid value: "a b"/],
    ],
    [
      "finalizers that exclude each other",
      "ConfigMap",
      { metadata: { finalizers: ["orphan", "foregroundDeletion"] } },
      [/cannot be both set$/],
    ],
    [
      "owner",
      "ConfigMap",
      { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p" }] } },
      ["Required metadata.ownerReferences[0].uid: Required value: must not be empty"],
    ],
    [
      "two controllers",
      "ConfigMap",
      {
        metadata: {
          ownerReferences: [
            { apiVersion: "v1", kind: "A", name: "a", uid: "1", controller: true },
            { apiVersion: "v1", kind: "B", name: "b", uid: "2", controller: true },
          ],
        },
      },
      [/Found "true" in references for A\/a and B\/b$/],
    ],
    [
      "an event as owner",
      "ConfigMap",
      { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Event", name: "a", uid: "1" }] } },
      [/is disallowed from being an owner$/],
    ],
  ];
  test.each(cases)("%s", (_, kind, object, expected) => {
    check(created(kind, object), expected);
  });

  test("a prefix may end in a hyphen", () => {
    expect(created("ConfigMap", { metadata: { generateName: "web-", name: "web-x" } })).toEqual([]);
    check(created("ConfigMap", { metadata: { generateName: "-web", name: "web-x" } }), [
      /^Invalid metadata.generateName/,
    ]);
  });
});

describe("metadata of an update", () => {
  const old = {
    metadata: { uid: "1", creationTimestamp: "2026-01-01T00:00:00Z", generation: 3, finalizers: ["a.b/c"] },
  };
  test("identity stays; what is left out is not a change", () => {
    expect(updated("ConfigMap", old, {})).toEqual([]);
    check(updated("ConfigMap", old, { metadata: { uid: "2", name: "other" } }), [
      'Invalid metadata.name: Invalid value: "other": field is immutable',
      'Invalid metadata.uid: Invalid value: "2": field is immutable',
    ]);
  });
  test("the generation never falls", () => {
    check(updated("ConfigMap", old, { metadata: { generation: 2 } }), [
      "Invalid metadata.generation: Invalid value: 2: must not be decremented",
    ]);
  });
  test("an object that is going takes no new finalizer", () => {
    const going = { metadata: { ...old.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    check(updated("ConfigMap", going, { metadata: { finalizers: ["a.b/c", "d.e/f"] } }), [
      /found new finalizers \[\]string\{"d\.e\/f"\}$/,
    ]);
    expect(updated("ConfigMap", going, { metadata: { finalizers: [] } })).toEqual([]);
  });
});
