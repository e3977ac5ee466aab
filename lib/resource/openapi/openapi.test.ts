import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import type { Document } from "../document.ts";
import { loadRegistry } from "../registry.ts";
import { OpenApi } from "./openapi.ts";

const openApi = new OpenApi(loadRegistry(kindDescriptors), { version: "v1.36.0" });

type Node = { readonly [name: string]: Node };

function parsed(document: Document | undefined): Node {
  if (document === undefined) throw new Error("no document");
  return JSON.parse(Buffer.from(document.body).toString()) as Node;
}

function references(node: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(node)) for (const item of node) references(item, found);
  else if (typeof node === "object" && node !== null) {
    for (const [name, value] of Object.entries(node)) {
      if (name === "$ref" && typeof value === "string") found.add(value);
      else references(value, found);
    }
  }
  return found;
}

describe("OpenAPI v3", () => {
  test("the index points to each group version by hash", () => {
    const paths = parsed(openApi.index())["paths"] as Node;
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(["api/v1", "apis/apps/v1", "apis/coordination.k8s.io/v1"]),
    );
    expect(paths["apis/apps/v1"]?.["serverRelativeURL"]).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{64}$/);
  });

  test("nothing is at a group version that is not served", () => {
    expect(openApi.groupVersion("apis/apps/v9")).toBeUndefined();
  });

  const core = parsed(openApi.groupVersion("api/v1"));
  const schemas = core["components"]?.["schemas"] as Node;

  test("every reference leads somewhere, in every group version", () => {
    for (const path of Object.keys(parsed(openApi.index())["paths"] as Node)) {
      const document = parsed(openApi.groupVersion(path));
      const names = new Set(Object.keys(document["components"]?.["schemas"] as Node));
      for (const reference of references(document))
        expect(names).toContain(reference.replace("#/components/schemas/", ""));
    }
  });

  test("a kind says which one it is", () => {
    expect(schemas["io.k8s.api.core.v1.Pod"]).toMatchObject({
      type: "object",
      properties: {
        apiVersion: { type: "string" },
        metadata: {
          allOf: [{ $ref: "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" }],
          default: {},
        },
      },
      "x-kubernetes-group-version-kind": [{ group: "", kind: "Pod", version: "v1" }],
    });
    const options = schemas["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]?.["x-kubernetes-group-version-kind"];
    expect(options).toContainEqual({ group: "apps", kind: "DeleteOptions", version: "v1" });
  });

  test("lists and maps say how they merge", () => {
    expect(schemas["io.k8s.api.core.v1.PodSpec"]).toMatchObject({
      required: ["containers"],
      properties: {
        containers: {
          type: "array",
          items: { allOf: [{ $ref: "#/components/schemas/io.k8s.api.core.v1.Container" }] },
          "x-kubernetes-list-map-keys": ["name"],
          "x-kubernetes-list-type": "map",
          "x-kubernetes-patch-merge-key": "name",
          "x-kubernetes-patch-strategy": "merge",
        },
        volumes: { "x-kubernetes-patch-strategy": "merge,retainKeys" },
        nodeSelector: { type: "object", additionalProperties: { type: "string" }, "x-kubernetes-map-type": "atomic" },
        restartPolicy: { type: "string", enum: ["Always", "Never", "OnFailure"] },
        terminationGracePeriodSeconds: { type: "integer", format: "int64" },
      },
    });
  });

  test("special forms", () => {
    const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";
    expect(schemas[`${meta}.Time`]).toMatchObject({ type: "string", format: "date-time" });
    expect(schemas[`${meta}.FieldsV1`]).toMatchObject({ type: "object" });
    expect(schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]).toMatchObject({
      oneOf: [{ type: "string" }, { type: "number" }],
    });
    expect(schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]).toMatchObject({ format: "int-or-string" });
    expect((schemas["io.k8s.api.core.v1.ContainerPort"] as Node)["properties"]).toMatchObject({
      containerPort: { type: "integer", format: "int32" },
    });
  });

  test("paths name action, kind and the parameters that kubectl looks for", () => {
    const paths = core["paths"] as Node;
    const pod = paths["/api/v1/namespaces/{namespace}/pods/{name}"];
    expect(pod?.["patch"]).toMatchObject({
      operationId: "patchCoreV1NamespacedPod",
      "x-kubernetes-action": "patch",
      "x-kubernetes-group-version-kind": { group: "", kind: "Pod", version: "v1" },
    });
    const names = ((pod?.["patch"]?.["parameters"] ?? []) as { name: string }[]).map((parameter) => parameter.name);
    expect(names).toEqual(expect.arrayContaining(["dryRun", "fieldManager", "fieldValidation", "force"]));
    expect(paths["/api/v1/namespaces/{namespace}/pods"]?.["get"]).toMatchObject({ "x-kubernetes-action": "list" });
    expect(paths["/api/v1/namespaces/{namespace}/pods"]?.["delete"]).toMatchObject({
      operationId: "deleteCoreV1CollectionNamespacedPod",
      "x-kubernetes-action": "deletecollection",
    });
    expect(paths["/api/v1/pods"]?.["get"]).toMatchObject({ operationId: "listCoreV1PodForAllNamespaces" });
    expect(paths["/api/v1/nodes/{name}/status"]?.["put"]).toMatchObject({ operationId: "replaceCoreV1NodeStatus" });
    expect(paths["/api/v1/namespaces/{namespace}/pods/{name}/exec"]?.["post"]).toMatchObject({
      "x-kubernetes-action": "connect",
    });
  });

  test("operation ids are unique", () => {
    const ids = Object.values(core["paths"] as Node).flatMap((item) =>
      Object.values(item).flatMap((operation) => operation["operationId"] ?? []),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("OpenAPI v2", () => {
  const document = parsed(openApi.v2());

  test("has every group in one document", () => {
    expect(document["swagger"]).toBe("2.0");
    expect(document["definitions"]).toHaveProperty(["io.k8s.api.apps.v1.Deployment"]);
    expect(document["paths"]).toHaveProperty(["/api/v1/pods"]);
  });

  test("every reference leads somewhere", () => {
    const names = new Set(Object.keys(document["definitions"] as Node));
    for (const reference of references(document)) expect(names).toContain(reference.replace("#/definitions/", ""));
  });

  test("types have the old forms", () => {
    expect(document["definitions"]?.["io.k8s.apimachinery.pkg.api.resource.Quantity"]).toMatchObject({
      type: "string",
    });
    expect(document["definitions"]?.["io.k8s.api.core.v1.PodSpec"]?.["properties"]?.["affinity"]).toMatchObject({
      $ref: "#/definitions/io.k8s.api.core.v1.Affinity",
    });
  });
});

test("a document is made once", () => {
  expect(openApi.v2()).toBe(openApi.v2());
  expect(openApi.groupVersion("api/v1")).toBe(openApi.groupVersion("api/v1"));
});

test("small steps come to the same documents", () => {
  const stepwise = new OpenApi(loadRegistry(kindDescriptors), { version: "v1.36.0" });
  let steps = 0;
  for (const _ of stepwise.prepare()) steps++;
  expect(steps).toBeGreaterThan(200);
  expect(stepwise.index().etag).toBe(openApi.index().etag);
  expect(stepwise.v2().etag).toBe(openApi.v2().etag);
});
