import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry } from "../registry.ts";
import { Discovery } from "./discovery.ts";

const discovery = new Discovery(loadRegistry(kindDescriptors), { serverAddress: "10.0.0.1:6443" });

/** What kubectl 1.36 sends. */
const aggregated =
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

interface Shown {
  readonly [name: string]: unknown;
}

function get(path: string, accept = "application/json"): Shown {
  const answer = discovery.answer(path, accept);
  if (answer === undefined) throw new Error(`no document at ${path}`);
  return JSON.parse(Buffer.from(answer.body).toString()) as Shown;
}

describe("discovery", () => {
  test("/api names the core version and the server's address", () => {
    expect(get("/api")).toEqual({
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: "10.0.0.1:6443" }],
    });
  });

  test("/apis lists groups in upstream's order, without core", () => {
    const names = (get("/apis")["groups"] as { name: string }[]).map((group) => group.name);
    expect(names).not.toContain("");
    expect(names.indexOf("apps")).toBeLessThan(names.indexOf("coordination.k8s.io"));
  });

  test("/apis/<group>", () => {
    const version = { groupVersion: "apps/v1", version: "v1" };
    expect(get("/apis/apps")).toEqual({
      kind: "APIGroup",
      apiVersion: "v1",
      name: "apps",
      versions: [version],
      preferredVersion: version,
    });
  });

  test("/api/v1 lists resources and subresources", () => {
    const list = get("/api/v1");
    const resources = list["resources"] as { name: string }[];
    expect(list).toMatchObject({ kind: "APIResourceList", groupVersion: "v1" });
    expect(list).not.toHaveProperty("apiVersion");
    expect(resources.find((one) => one.name === "pods")).toEqual({
      name: "pods",
      singularName: "pod",
      namespaced: true,
      kind: "Pod",
      verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
      shortNames: ["po"],
      categories: ["all"],
      storageVersionHash: "xPOwRZ+Yhw8=",
    });
    expect(resources.find((one) => one.name === "pods/eviction")).toEqual({
      name: "pods/eviction",
      singularName: "",
      namespaced: true,
      group: "policy",
      version: "v1",
      kind: "Eviction",
      verbs: ["create"],
    });
    expect(resources.find((one) => one.name === "pods/status")).not.toHaveProperty("group");
  });

  test.each(["/", "/api/v2", "/api/v1/x", "/apis/nope", "/apis/apps/v9", "/apis/apps/v1/x", "/apis//v1", "/version"])(
    "nothing is at %s",
    (path) => {
      expect(discovery.answer(path, "*/*")).toBeUndefined();
    },
  );
});

describe("aggregated discovery", () => {
  test("comes to who asks for it, with its media type", () => {
    const answer = discovery.answer("/apis", aggregated);
    expect(answer?.contentType).toBe("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    const v2beta1 = discovery.answer(
      "/api",
      "application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io",
    );
    expect(v2beta1?.contentType).toContain("v=v2beta1");
    expect(discovery.answer("/apis", "application/json")?.contentType).toBe("application/json");
    expect(discovery.answer("/apis/apps", aggregated)?.contentType).toBe("application/json");
  });

  test("says of each resource what the plain lists say", () => {
    const list = get("/api", aggregated) as {
      items?: { versions: { version: string; freshness: string; resources: Shown[] }[] }[];
    };
    expect(list).toMatchObject({ kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2" });
    const version = list.items?.[0]?.versions[0];
    expect(version).toMatchObject({ version: "v1", freshness: "Current" });
    expect(version?.resources.find((one) => one["resource"] === "namespaces")).toMatchObject({
      responseKind: { group: "", version: "v1", kind: "Namespace" },
      scope: "Cluster",
      singularResource: "namespace",
      shortNames: ["ns"],
      subresources: [{ subresource: "finalize", verbs: ["update"] }, { subresource: "status" }],
    });
  });

  test("the tag stays while the registry stays", () => {
    const tag = discovery.answer("/apis", aggregated)?.etag;
    expect(tag).toMatch(/^"[0-9A-F]{64}"$/);
    expect(discovery.answer("/apis", aggregated)?.etag).toBe(tag);
    expect(discovery.answer("/apis", "application/json")?.etag).not.toBe(tag);
  });
});
