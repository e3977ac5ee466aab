import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiFixture, type HttpAnswer, startApi } from "./api-fixture.ts";

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
});

afterAll(async () => {
  await api.stop();
});

const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const MAPS = "/api/v1/namespaces/default/configmaps";

function apply(path: string, object: unknown, query: string): Promise<HttpAnswer> {
  const body = typeof object === "string" ? object : JSON.stringify(object);
  return api.send("PATCH", `${path}?${query}`, { headers: { "content-type": "application/apply-patch+yaml" }, body });
}

const map = (data: Record<string, string>, more: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "applied", ...more },
  data,
});

const deployment = (spec: object): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: {
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "a", image: "busybox" }] } },
    ...spec,
  },
});

describe("server-side apply", () => {
  test("creates, then merges, then takes away what is wanted no more", async () => {
    const created = await apply(
      `${MAPS}/applied`,
      "{apiVersion: v1, kind: ConfigMap, data: {a: '1', b: '2'}}",
      "fieldManager=me",
    );
    expect(created.status).toBe(201);
    expect(created.json()).toMatchObject({
      metadata: { managedFields: [{ manager: "me", operation: "Apply", apiVersion: "v1", fieldsType: "FieldsV1" }] },
    });
    const merged = await apply(`${MAPS}/applied`, map({ c: "3" }), "fieldManager=you");
    expect(merged.status).toBe(200);
    expect(merged.json()["data"]).toEqual({ a: "1", b: "2", c: "3" });
    const pruned = await apply(`${MAPS}/applied`, map({ a: "1" }), "fieldManager=me");
    expect(pruned.json()["data"]).toEqual({ a: "1", c: "3" });
  });

  test("the same again is no write", async () => {
    const first = await apply(`${MAPS}/same`, map({ a: "1" }, { name: "same" }), "fieldManager=me");
    const second = await apply(`${MAPS}/same`, map({ a: "1" }, { name: "same" }), "fieldManager=me");
    expect(second.json()).toEqual(first.json());
  });

  test("a dry run stores nothing", async () => {
    expect((await apply(`${MAPS}/dry`, map({}, { name: "dry" }), "fieldManager=me&dryRun=All")).status).toBe(201);
    expect((await api.send("GET", `${MAPS}/dry`)).status).toBe(404);
  });

  test("defaults are nobody's, so that others may set them", async () => {
    expect((await apply(`${DEPLOYMENTS}/web`, deployment({}), "fieldManager=me")).status).toBe(201);
    const scaled = await apply(
      `${DEPLOYMENTS}/web`,
      { apiVersion: "apps/v1", kind: "Deployment", spec: { replicas: 3 } },
      "fieldManager=scaler",
    );
    expect(scaled.json()).toMatchObject({
      spec: { replicas: 3, strategy: { type: "RollingUpdate" } },
      metadata: { generation: 2 },
    });
  });

  test("apply conflict 409 with causes, until the client insists", async () => {
    const mine = deployment({ replicas: 5 });
    const refused = await apply(`${DEPLOYMENTS}/web`, mine, "fieldManager=me");
    expect(refused.status).toBe(409);
    expect(refused.json()).toMatchObject({
      reason: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "scaler": .spec.replicas',
      details: {
        causes: [{ reason: "FieldManagerConflict", message: 'conflict with "scaler"', field: ".spec.replicas" }],
      },
    });
    const forced = await apply(`${DEPLOYMENTS}/web`, mine, "fieldManager=me&force=true");
    expect(forced.json()).toMatchObject({ spec: { replicas: 5 } });
    const managers = (forced.json()["metadata"] as { managedFields: { manager: string }[] }).managedFields;
    expect(managers.map((entry) => entry.manager)).toEqual(["me"]);
  });

  test("an ordinary write takes over what it changes", async () => {
    const body = JSON.stringify({ spec: { replicas: 7 } });
    const headers = { "content-type": "application/merge-patch+json", "user-agent": "scaler/1.0" };
    await api.send("PATCH", `${DEPLOYMENTS}/web`, { headers, body });
    const refused = await apply(`${DEPLOYMENTS}/web`, deployment({ replicas: 5 }), "fieldManager=me");
    expect(refused.json()["message"]).toMatch(/conflict with "scaler" using apps\/v1 at .*Z: \.spec\.replicas$/);
  });

  test("objects that nobody applied carry no record", async () => {
    const body = JSON.stringify(map({}, { name: "plain" }));
    const created = await api.send("POST", `${MAPS}?fieldManager=me`, { body });
    expect(created.json()["metadata"]).not.toHaveProperty("managedFields");
  });
});

describe("bad input of server-side apply", () => {
  test("apply without fieldManager 422", async () => {
    const refused = await apply(`${MAPS}/applied`, map({}), "");
    expect(refused.status).toBe(422);
    expect(refused.json()["message"]).toContain("fieldManager: Required value: is required for apply patch");
  });

  test("managedFields in apply 400", async () => {
    const refused = await apply(`${MAPS}/applied`, map({}, { managedFields: [{ manager: "x" }] }), "fieldManager=me");
    expect(refused.status).toBe(400);
    expect(refused.json()["message"]).toContain("metadata.managedFields must be nil");
  });

  test("what contradicts itself 400, what is invalid 422", async () => {
    const twice = deployment({ template: { spec: { containers: [{ name: "a" }, { name: "a" }] } } });
    expect((await apply(`${DEPLOYMENTS}/web`, twice, "fieldManager=me")).status).toBe(400);
    expect((await apply(`${MAPS}/applied`, "- 1", "fieldManager=me")).status).toBe(400);
    expect((await apply(`${MAPS}/applied`, map({ "a/b": "" }), "fieldManager=me")).status).toBe(422);
    expect(
      (await apply(`${MAPS}/applied`, { ...map({}), foo: 1 }, "fieldManager=me&fieldValidation=Strict")).status,
    ).toBe(400);
  });
});

describe("kubectl apply --server-side", () => {
  const manifest = JSON.stringify(map({ k: "1" }, { name: "by-kubectl" }));
  const changed = manifest.replace('"k":"1"', '"k":"2"');

  test("applies, conflicts, and is told how to insist", async () => {
    const serverSide = ["apply", "--server-side", "-f", "-"];
    expect(await api.kubectl.ok(serverSide, { input: manifest })).toBe("configmap/by-kubectl serverside-applied\n");
    await api.kubectl.ok(["patch", "configmap", "by-kubectl", "--field-manager=other", "-p", '{"data":{"k":"3"}}']);
    const refused = await api.kubectl.run(serverSide, { input: changed });
    expect(refused.stderr).toContain('conflict with "other" using v1');
    expect(await api.kubectl.ok([...serverSide, "--force-conflicts"], { input: changed })).toContain(
      "serverside-applied",
    );
  });

  test("goes on where client-side apply stopped", async () => {
    const named = (text: string): string => text.replace("by-kubectl", "both-ways");
    await api.kubectl.ok(["apply", "-f", "-"], { input: named(manifest) });
    await api.kubectl.ok(["apply", "--server-side", "-f", "-"], { input: named(changed) });
    expect(await api.kubectl.ok(["get", "configmap", "both-ways", "-o", "jsonpath={.data.k}"])).toBe("2");
  });
});
