import { expect, test } from "vitest";
import { kindDescriptors } from "../gen/k8s/descriptors.ts";
import { loadRegistry } from "./registry.ts";
import { typedServiceOf } from "./typed-service.ts";

const registry = loadRegistry(kindDescriptors);

function service(group: string, resource: string) {
  const typed = typedServiceOf(registry.resource(group, "v1", resource)!, registry);
  return { name: `${typed.packageName}.${typed.name}`, methods: typed.methods.map((method) => method.name) };
}

const all = ["Get", "List", "Watch", "Create", "Update", "Patch", "Apply", "Delete", "DeleteCollection"];

test("a service has the methods of its kind's verbs and subresources, in a package as upstream's", () => {
  expect(service("", "configmaps")).toEqual({ name: "keelson.api.core.v1.ConfigMapService", methods: all });
  expect(service("events.k8s.io", "events").name).toBe("keelson.api.events.v1.EventService");
  expect(service("authentication.k8s.io", "tokenreviews").methods).toEqual(["Create"]);
  expect(service("", "namespaces").methods).not.toContain("DeleteCollection");
  const pods = service("", "pods").methods;
  expect(pods).toEqual(
    expect.arrayContaining(["GetStatus", "UpdateStatus", "PatchStatus", "ApplyStatus", "UpdateResize"]),
  );
  expect(pods).toEqual(expect.arrayContaining(["CreateBinding", "CreateEviction"]));
  expect(pods.filter((name) => /Exec|Attach|Log|Portforward|Proxy/.test(name))).toEqual([]);
});

test("a subresource's objects may be of another kind", () => {
  const { methods } = typedServiceOf(registry.resource("apps", "v1", "deployments")!, registry);
  expect(methods.find(({ name }) => name === "UpdateScale")).toEqual({
    name: "UpdateScale",
    pattern: "update",
    subresource: "scale",
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    message: "k8s.io.api.autoscaling.v1.Scale",
  });
});
