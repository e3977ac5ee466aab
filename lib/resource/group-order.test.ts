import { expect, test } from "vitest";
import { compareGroups } from "./group-order.ts";

test("built-in groups come in upstream's order, then others by name", () => {
  const groups = ["widgets.example.com", "coordination.k8s.io", "apps", "", "acme.example.com"];
  const sorted = groups.map((group) => ({ group, version: "v1" })).sort(compareGroups);
  expect(sorted.map(({ group }) => group)).toEqual([
    "",
    "apps",
    "coordination.k8s.io",
    "acme.example.com",
    "widgets.example.com",
  ]);
});

test("within a group the most stable and newest version comes first", () => {
  const versions = ["v1alpha1", "foo1", "v2beta1", "v1", "v10", "v2", "v1beta2", "v1beta10", "bar"];
  const sorted = versions.map((version) => ({ group: "apps", version })).sort(compareGroups);
  expect(sorted.map(({ version }) => version)).toEqual([
    "v10",
    "v2",
    "v1",
    "v2beta1",
    "v1beta10",
    "v1beta2",
    "v1alpha1",
    "bar",
    "foo1",
  ]);
});
