import { describe, expect, test } from "vitest";
import { FieldSet } from "./field-set.ts";
import { keyElement, pathText, valueElement } from "./path-element.ts";

const a = FieldSet.of(["f:x"], ["f:y", "f:z"], ["f:y"]);
const b = FieldSet.of(["f:y"], ["f:w"]);

describe("a set of fields", () => {
  test("is written as fieldsV1 and read back", () => {
    expect(a.toJson()).toEqual({ "f:x": {}, "f:y": { ".": {}, "f:z": {} } });
    expect(FieldSet.fromJson(a.toJson()).equals(a)).toBe(true);
    expect(FieldSet.fromJson(null).isEmpty).toBe(true);
    expect(FieldSet.fromJson({ "f:a": 3, junk: {} }).isEmpty).toBe(true);
  });

  test("joins, meets, and is taken from another", () => {
    expect(a.union(b).toJson()).toEqual({ "f:w": {}, "f:x": {}, "f:y": { ".": {}, "f:z": {} } });
    expect(a.intersection(b).toJson()).toEqual({ "f:y": {} });
    expect(a.difference(b).toJson()).toEqual({ "f:x": {}, "f:y": { "f:z": {} } });
    expect(a.recursiveDifference(b).toJson()).toEqual({ "f:x": {} });
    expect(a.difference(a).isEmpty).toBe(true);
    expect(a.equals(b)).toBe(false);
  });

  test("knows its paths", () => {
    expect(a.paths()).toEqual([["f:x"], ["f:y"], ["f:y", "f:z"]]);
    expect(a.has(["f:y", "f:z"])).toBe(true);
    expect(a.has(["f:w"])).toBe(false);
    expect(FieldSet.of(["f:y", "f:z"]).withParents().toJson()).toEqual({ ".": {}, "f:y": { ".": {}, "f:z": {} } });
  });
});

test("paths read as people write them", () => {
  const key = keyElement({ protocol: "TCP", containerPort: 80 });
  expect(key).toBe('k:{"containerPort":80,"protocol":"TCP"}');
  expect(pathText(["f:spec", "f:ports", key, "f:name"])).toBe('.spec.ports[containerPort=80,protocol="TCP"].name');
  expect(pathText(["f:metadata", "f:finalizers", valueElement("a/b")])).toBe('.metadata.finalizers[="a/b"]');
  expect(valueElement(9007199254740993n)).toBe("v:9007199254740993");
});
