import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiFixture, startApi } from "./api-fixture.ts";

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
  await api.kubectl.ok(["create", "serviceaccount", "default"]);
});

afterAll(async () => {
  await api.stop();
});

describe("kubectl 1.36 as it is", () => {
  test("version, api-resources and api-versions", async () => {
    expect(await api.kubectl.ok(["version"])).toMatch(/Server Version: v1\.36\./);
    const resources = await api.kubectl.ok(["api-resources"]);
    expect(resources).toMatch(/^pods +po +v1 +true +Pod$/m);
    expect(resources).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment$/m);
    expect(await api.kubectl.ok(["api-versions"])).toContain("coordination.k8s.io/v1");
  });

  test("run, get, label, describe, delete a pod", async () => {
    expect(await api.kubectl.ok(["run", "web", "--image=busybox", "--port=8080"])).toBe("pod/web created\n");
    expect(await api.kubectl.ok(["get", "pods"])).toMatch(/web +0\/1 +Pending +0 +\d+s/);
    expect(await api.kubectl.ok(["label", "pod", "web", "tier=front"])).toBe("pod/web labeled\n");
    expect(await api.kubectl.ok(["get", "pods", "-l", "tier=front", "-o", "name"])).toBe("pod/web\n");
    expect(await api.kubectl.ok(["get", "pods", "-l", "tier=back", "-o", "name"])).toBe("");
    const described = await api.kubectl.ok(["describe", "pod", "web"]);
    expect(described).toMatch(/QoS Class: +BestEffort/);
    expect(described).toMatch(/kube-api-access-/);
    expect(await api.kubectl.ok(["delete", "pod", "web"])).toMatch(/pod "web" deleted/);
    expect((await api.kubectl.run(["get", "pod", "web"])).stderr).toContain('pods "web" not found');
  });
});
