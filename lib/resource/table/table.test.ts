import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import type { ResourceDefinition } from "../kind.ts";
import { loadRegistry } from "../registry.ts";
import { partialObject, partialObjectList } from "./partial-object.ts";
import { encodeTable, tableOf } from "./table.ts";

const registry = loadRegistry(kindDescriptors);
const nowMs = Date.UTC(2026, 0, 1, 0, 0, 30);

function definitionOf(group: string, resource: string): ResourceDefinition {
  const found = registry.resource(group, "v1", resource);
  if (found === undefined) throw new Error(`no resource ${resource}`);
  return found;
}

const metadata = { name: "a", creationTimestamp: "2026-01-01T00:00:00Z" };
const options = { nowMs, objectText: (object: { metadata?: object }) => JSON.stringify(partialObject(object)) };

describe("a table", () => {
  test("has a row for each object, with cells from paths and hooks", () => {
    const table = tableOf(
      definitionOf("apps", "replicasets"),
      [{ metadata, spec: { replicas: 2 }, status: { replicas: 1 } } as object],
      {},
      options,
    );
    const row = Object.fromEntries(table.columns.map((column, index) => [column.name, table.rows[0]?.cells[index]]));
    expect(row).toMatchObject({ Name: "a", Desired: 2, Current: 1, Ready: 0, Age: "30s", Selector: "<none>" });
  });

  test("absent values show by their type", () => {
    const [row] = tableOf(definitionOf("scheduling.k8s.io", "priorityclasses"), [{}], {}, options).rows;
    expect(row?.cells).toEqual(["", 0, false, "<unknown>", ""]);
    const [lease] = tableOf(definitionOf("coordination.k8s.io", "leases"), [{ metadata }], {}, options).rows;
    expect(lease?.cells).toEqual(["a", "", "30s"]);
  });

  test("every kind has a cell for every column, of an empty object too", () => {
    for (const definition of registry.resources()) {
      const [row] = tableOf(definition, [{}], {}, options).rows;
      expect(row?.cells, definition.kind).toHaveLength(definition.columns.length);
      expect(row?.cells, definition.kind).not.toContain(null);
    }
  });

  test("is written as meta.k8s.io/v1, with columns or, in later events of a watch, without", () => {
    const table = tableOf(
      definitionOf("", "configmaps"),
      [{ metadata, data: { a: "<" } } as object],
      { resourceVersion: "7" },
      options,
    );
    const text = encodeTable(table);
    expect(JSON.parse(text)).toEqual({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      metadata: { resourceVersion: "7" },
      columnDefinitions: [
        { name: "Name", type: "string", format: "name", description: expect.any(String), priority: 0 },
        { name: "Data", type: "string", format: "", description: expect.any(String), priority: 0 },
        { name: "Age", type: "string", format: "", description: expect.any(String), priority: 0 },
      ],
      rows: [
        {
          cells: ["a", 1, "30s"],
          object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata },
        },
      ],
    });
    expect((JSON.parse(encodeTable(table, false)) as { columnDefinitions: unknown }).columnDefinitions).toBeNull();
  });

  test("marks rows of pods that are over", () => {
    const table = tableOf(
      definitionOf("", "pods"),
      [{ metadata, status: { phase: "Succeeded" } } as object],
      {},
      options,
    );
    const { rows } = JSON.parse(encodeTable(table)) as { rows: { conditions: unknown }[] };
    expect(rows[0]?.conditions).toEqual([
      { type: "Completed", status: "True", reason: "Succeeded", message: "The pod has completed successfully." },
    ]);
  });
});

test("objects reduced to their metadata", () => {
  expect(partialObjectList({ resourceVersion: "3" }, [{ metadata }])).toEqual({
    kind: "PartialObjectMetadataList",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion: "3" },
    items: [{ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata }],
  });
});
