import { describe, expect, test } from "vitest";
import { parsePath } from "./request-path.ts";

const nothing = { group: "", version: "v1", namespace: "", name: "", subresource: "", isWatchPath: false, rest: [] };

describe("paths", () => {
  test.each([
    ["/api/v1/pods", { resource: "pods" }],
    ["/api/v1/namespaces", { resource: "namespaces" }],
    ["/api/v1/namespaces/a", { resource: "namespaces", name: "a" }],
    ["/api/v1/namespaces/a/status", { resource: "namespaces", name: "a", subresource: "status" }],
    ["/api/v1/namespaces/a/finalize", { resource: "namespaces", name: "a", subresource: "finalize" }],
    ["/api/v1/namespaces/a/pods", { resource: "pods", namespace: "a" }],
    ["/api/v1/namespaces/a/pods/b", { resource: "pods", namespace: "a", name: "b" }],
    ["/api/v1/namespaces/a/pods/b/log", { resource: "pods", namespace: "a", name: "b", subresource: "log" }],
    ["/api/v1/nodes/n/proxy/x/y", { resource: "nodes", name: "n", subresource: "proxy", rest: ["x", "y"] }],
    ["/apis/apps/v1/deployments", { group: "apps", resource: "deployments" }],
    ["/apis/apps/v1/namespaces/a/deployments/d", { group: "apps", resource: "deployments", namespace: "a", name: "d" }],
    ["/api/v1/watch/namespaces/a/pods", { resource: "pods", namespace: "a", isWatchPath: true }],
    ["/api/v1/namespaces/a/pods/", { resource: "pods", namespace: "a" }],
  ])("%s", (path, expected) => {
    expect(parsePath(path)).toEqual({ type: "resource", ...nothing, ...expected });
  });

  test.each(["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/version", "/openapi/v3/api/v1"])(
    "%s is about no resource",
    (path) => expect(parsePath(path)).toEqual({ type: "other", path }),
  );

  test.each([
    "/api/v1/namespaces/../pods",
    "/api/v1/namespaces/%2e%2e/pods",
    "/api/v1/namespaces/a/pods/.",
    "/api/v1/namespaces/a/pods/a%2fb",
    "/api/v1/namespaces/a/pods/%00",
    "/api/v1/namespaces//pods",
    `/api/v1/namespaces/a/pods/${"x".repeat(254)}`,
  ])("%s leads nowhere", (path) => {
    expect(() => parsePath(path)).toThrow(expect.objectContaining({ code: 404 }));
  });

  test("what is no URL encoding is a bad request", () => {
    expect(() => parsePath("/api/v1/namespaces/%zz/pods")).toThrow(expect.objectContaining({ code: 400 }));
  });
});
