import { writeFileSync } from "node:fs";
import path from "node:path";
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

function file(name: string, text: string): string {
  const target = path.join(api.folder, name);
  writeFileSync(target, text);
  return target;
}

const POD = `apiVersion: v1
kind: Pod
metadata:
  name: applied
  labels: {app: demo}
spec:
  containers:
  - name: main
    image: busybox
    ports: [{containerPort: 8080}]
    env: [{name: A, value: "1"}]
`;

describe("kubectl 1.36 as it is", () => {
  test("version, api-resources and api-versions", async () => {
    expect(await api.kubectl.ok(["version"])).toMatch(/Server Version: v1\.36\./);
    const resources = await api.kubectl.ok(["api-resources"]);
    expect(resources).toMatch(/^pods +po +v1 +true +Pod$/m);
    expect(resources).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment$/m);
    expect(await api.kubectl.ok(["api-versions"])).toContain("coordination.k8s.io/v1");
  });

  test("every kind that discovery offers can be listed", async () => {
    const offered = (await api.kubectl.ok(["api-resources", "--verbs=list", "-o", "name"])).trim().split("\n");
    expect(offered.length).toBeGreaterThan(20);
    await api.kubectl.ok(["get", offered.join(","), "--all-namespaces"]);
    expect(await api.kubectl.ok(["get", "componentstatuses"])).toMatch(/^etcd-0 +Healthy +ok/m);
    expect(await api.kubectl.ok(["get", "componentstatus", "etcd-0", "-o", "name"])).toBe("componentstatus/etcd-0\n");
    expect((await api.kubectl.run(["get", "componentstatus", "other"])).stderr).toContain("NotFound");
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
    expect(await api.kubectl.ok(["get", "pod", "web", "-o", "wide"])).toMatch(/NOMINATED NODE/);
    expect(await api.kubectl.ok(["get", "pod", "web", "-o", "yaml"])).toContain("phase: Pending");
    expect(await api.kubectl.ok(["get", "pod", "web", "-o", "jsonpath={.status.qosClass}"])).toBe("BestEffort");
    expect(await api.kubectl.ok(["delete", "pod", "web"])).toMatch(/pod "web" deleted/);
    expect((await api.kubectl.run(["get", "pod", "web"])).stderr).toContain('pods "web" not found');
  });

  test("apply creates, changes, leaves unchanged, and says what is wrong", async () => {
    const manifest = file("pod.yaml", POD);
    expect(await api.kubectl.ok(["apply", "-f", manifest])).toBe("pod/applied created\n");
    expect(await api.kubectl.ok(["apply", "-f", manifest])).toBe("pod/applied unchanged\n");
    const changed = file(
      "pod2.yaml",
      POD.replace("image: busybox", "image: busybox:2").replace("{app: demo}", "{app: other}"),
    );
    expect(await api.kubectl.ok(["apply", "-f", changed])).toBe("pod/applied configured\n");
    expect(await api.kubectl.ok(["get", "pod", "applied", "-o", "jsonpath={.spec.containers[0].image}"])).toBe(
      "busybox:2",
    );
    const immutable = file("pod3.yaml", POD.replace('value: "1"', 'value: "2"'));
    const refused = await api.kubectl.run(["apply", "-f", immutable]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("pod updates may not change fields other than");
    const unknown = file(
      "pod4.yaml",
      POD.replace("name: applied", "name: strict").replace("spec:", "spec:\n  nonsense: 1"),
    );
    const strict = await api.kubectl.run(["apply", "-f", unknown]);
    expect(strict.stderr).toContain('strict decoding error: unknown field "spec.nonsense"');
    const warned = await api.kubectl.run(["apply", "-f", unknown, "--validate=warn"]);
    expect(warned.stderr).toContain('Warning: unknown field "spec.nonsense"');
    expect(warned.code).toBe(0);
    expect(await api.kubectl.ok(["diff", "-f", changed])).toBe("");
  });

  test("explain reads the OpenAPI documents", async () => {
    const text = await api.kubectl.ok(["explain", "pod.spec.containers.image"]);
    expect(text).toMatch(/FIELD: image <string>/);
    expect(await api.kubectl.ok(["explain", "deployment", "--recursive"])).toContain("progressDeadlineSeconds");
    const old = await api.kubectl.ok(["explain", "pod.spec", "--output=plaintext-openapiv2"]);
    expect(old).toMatch(/nodeName\t<string>/);
  });

  test("patch in three ways, annotate, scale, set image", async () => {
    await api.kubectl.ok(["create", "deployment", "dep", "--image=busybox", "--replicas=2"]);
    expect(await api.kubectl.ok(["get", "deploy"])).toMatch(/dep +0\/2/);
    const patch = (type: string, body: string) =>
      api.kubectl.ok(["patch", "deploy", "dep", `--type=${type}`, "-p", body]);
    await patch("merge", '{"spec":{"minReadySeconds":3}}');
    await patch("json", '[{"op":"replace","path":"/spec/minReadySeconds","value":4}]');
    await patch(
      "strategic",
      '{"spec":{"template":{"spec":{"containers":[{"name":"busybox","env":[{"name":"X","value":"y"}]}]}}}}',
    );
    const json = await api.kubectl.ok(["get", "deploy", "dep", "-o", "json"]);
    expect(JSON.parse(json).spec).toMatchObject({
      minReadySeconds: 4,
      template: { spec: { containers: [{ image: "busybox", env: [{ name: "X", value: "y" }] }] } },
    });
    expect(await api.kubectl.ok(["scale", "deploy", "dep", "--replicas=5"])).toBe("deployment.apps/dep scaled\n");
    expect(await api.kubectl.ok(["set", "image", "deploy/dep", "busybox=busybox:3"])).toContain("image updated");
    expect(await api.kubectl.ok(["annotate", "deploy", "dep", "note=yes"])).toContain("annotated");
    expect(await api.kubectl.ok(["get", "deploy", "dep", "-o", "jsonpath={.spec.replicas}"])).toBe("5");
    expect(await api.kubectl.ok(["delete", "deploy", "dep"])).toContain("deleted");
  });

  test("create of configmaps, secrets, services, namespaces, tokens; auth whoami", async () => {
    await api.kubectl.ok(["create", "configmap", "cm", "--from-literal=a=b"]);
    await api.kubectl.ok(["create", "secret", "generic", "sec", "--from-literal=p=q"]);
    expect(await api.kubectl.ok(["get", "secret", "sec"])).toMatch(/sec +Opaque +1/);
    await api.kubectl.ok(["create", "namespace", "extra"]);
    expect(await api.kubectl.ok(["get", "ns", "extra"])).toMatch(/extra +Active/);
    const token = (await api.kubectl.ok(["create", "token", "default", "--duration=10m"])).trim();
    expect(token.split(".")).toHaveLength(3);
    const who = await api.kubectl.ok(["auth", "whoami", "-o", "json"]);
    expect(JSON.parse(who).status.userInfo).toEqual({
      username: "admin",
      groups: ["system:masters", "system:authenticated"],
    });
    const asAccount = await api.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      as: "none",
      headers: { authorization: `Bearer ${token}` },
      body: '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}',
    });
    expect(asAccount.json()).toMatchObject({
      status: { userInfo: { username: "system:serviceaccount:default:default" } },
    });
    const denied = await api.send("GET", "/api/v1/namespaces/default/pods", {
      as: "none",
      headers: { authorization: `Bearer ${token}` },
    });
    expect(denied.status).toBe(403);
    expect(denied.json()["message"]).toBe(
      'pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"',
    );
  });

  test("get --watch shows changes as they come", async () => {
    await api.kubectl.ok(["run", "seen", "--image=busybox"]);
    const watching = api.kubectl.run(["get", "pods", "-w", "--request-timeout=4s", "--no-headers"], {
      timeoutMs: 10_000,
    });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await api.kubectl.ok(["label", "pod", "seen", "x=y"]);
    await api.kubectl.ok(["delete", "pod", "seen"]);
    const lines = (await watching).stdout.split("\n").filter((line) => line.startsWith("seen"));
    expect(lines.length).toBeGreaterThanOrEqual(3);
  });

  test("health, metrics and raw paths", async () => {
    expect(await api.kubectl.ok(["get", "--raw", "/readyz?verbose"])).toContain("[+]informer-sync ok");
    expect(await api.kubectl.ok(["get", "--raw", "/livez"])).toBe("ok");
    expect(await api.kubectl.ok(["get", "--raw", "/metrics"])).toMatch(/apiserver_request_total\{.*resource="pods"/);
    expect(await api.kubectl.ok(["get", "events"])).toBe("");
    expect(await api.kubectl.ok(["delete", "pods", "--all"])).toContain("deleted");
  });
});
