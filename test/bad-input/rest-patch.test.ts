import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMaps, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { type ApiFixture, type HttpAnswer, startApi } from "../api/api-fixture.ts";
import { expectRefused } from "./expect-refused.ts";

let api: ApiFixture;
const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";

beforeAll(async () => {
  api = await startApi();
});

afterAll(async () => {
  await api.stop();
});

function post(body: string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  return api.send("POST", MAPS, { body, headers });
}

describe("REST patch", () => {
  function patch(name: string, type: string, body: string): Promise<HttpAnswer> {
    return api.send("PATCH", `${MAPS}/${name}`, { headers: { "content-type": `application/${type}` }, body });
  }

  beforeAll(async () => {
    await api.client.create(configMaps, { metadata: { name: "patched", namespace: "default" }, data: { a: "b" } });
  });

  test("JSON patch > 10 k ops 413/422", async () => {
    const operations = Array.from({ length: 10_001 }, () => '{"op":"add","path":"/data/x","value":"y"}').join();
    expectRefused(await patch("patched", "json-patch+json", `[${operations}]`), 413, /10000/);
  });

  test("test fails 422", async () => {
    const body = '[{"op":"test","path":"/data/a","value":"other"},{"op":"remove","path":"/data/a"}]';
    expectRefused(await patch("patched", "json-patch+json", body), 422);
    expect((await api.send("GET", `${MAPS}/patched`)).json()).toMatchObject({ data: { a: "b" } });
  });

  test("copy bombs stopped by output size", async () => {
    const operations = ['{"op":"add","path":"/metadata/annotations","value":{"a":"xxxxxxxxxxxxxxxx"}}'];
    for (let index = 0; index < 64; index++) {
      operations.push(`{"op":"copy","from":"/metadata/annotations","path":"/metadata/annotations/k${index}"}`);
    }
    const startMs = performance.now();
    expectRefused(await patch("patched", "json-patch+json", `[${operations.join()}]`), 422, /exceeding the limit/);
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });

  test("an object that patches or writes make too large for the store is 413", async () => {
    await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
    const env = { name: "A", value: "x".repeat(2_000_000) };
    const pod = { metadata: { name: "large" }, spec: { containers: [{ name: "a", image: "b", env: [env] }] } };
    expectRefused(await api.send("POST", PODS, { body: JSON.stringify(pod) }), 413);
    const patched = `{"metadata":{"annotations":{"a":"${"x".repeat(2_000_000)}"}}}`;
    expectRefused(await patch("patched", "merge-patch+json", patched), 422, /annotations/);
  });

  test("YAML aliases > 100 or tabs 400", async () => {
    const yaml = (text: string): Promise<HttpAnswer> => post(text, { "content-type": "application/yaml" });
    const aliases = Array.from({ length: 200 }, (_, index) => `  k${index}: *v`).join("\n");
    expectRefused(
      await yaml(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata:\n  a: &v x\n${aliases}\n`),
      400,
    );
    expectRefused(await yaml("apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: y\n"), 400);
    expect((await yaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: 'b'}\n")).status).toBe(
      201,
    );
  });

  test("uid or RV mismatch 409", async () => {
    const put = (metadata: object): Promise<HttpAnswer> =>
      api.send("PUT", `${MAPS}/patched`, { body: JSON.stringify({ metadata: { name: "patched", ...metadata } }) });
    expectRefused(await put({ uid: "other" }), 409, /UID in precondition: other/);
    expectRefused(await put({ resourceVersion: "1" }), 409, /the object has been modified/);
    expectRefused(await put({ resourceVersion: "abc" }), 400);
    for (const preconditions of [{ uid: "other" }, { resourceVersion: "1" }]) {
      expectRefused(await api.send("DELETE", `${MAPS}/patched`, { body: JSON.stringify({ preconditions }) }), 409);
    }
    expectRefused(await patch("patched", "merge-patch+json", '{"metadata":{"uid":"other"}}'), 409);
    expectRefused(await patch("patched", "merge-patch+json", '{"metadata":{"resourceVersion":"1"}}'), 409);
  });

  test("namespace mismatch 400", async () => {
    expectRefused(await patch("patched", "merge-patch+json", '{"metadata":{"namespace":"kube-system"}}'), 400);
    const elsewhere = JSON.stringify({ metadata: { name: "x", namespace: "kube-system" } });
    expectRefused(await post(elsewhere), 400);
    expectRefused(
      await api.send("PUT", `${MAPS}/patched`, { body: JSON.stringify({ metadata: { name: "other" } }) }),
      400,
    );
  });

  test("an apply that does not say what it is, and managers that are no names", async () => {
    const apply = (body: string, manager = "me"): Promise<HttpAnswer> => {
      const headers = { "content-type": "application/apply-patch+yaml" };
      return api.send("PATCH", `${MAPS}/applied?fieldManager=${manager}`, { body, headers });
    };
    const whole = '{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"b"}}';
    for (const body of ["{}", "[]", '{"kind":"ConfigMap"}', whole.replace("v1", "v2"), whole.replace("Config", "")]) {
      expectRefused(await apply(body), 400);
    }
    expectRefused(await apply(whole, "x".repeat(129)), 422, /fieldManager: Too long/);
    expectRefused(await apply(whole, "a%00b"), 422, /printable/);
    expect((await api.send("GET", `${MAPS}/applied`)).status).toBe(404);
    expect((await apply(whole)).status).toBe(201);
  });

  test("a patch that is no patch is 400", async () => {
    expectRefused(await patch("patched", "merge-patch+json", "nonsense"), 400);
    expectRefused(await patch("patched", "json-patch+json", '{"op":"add"}'), 400);
    expectRefused(await patch("patched", "strategic-merge-patch+json", "[]"), 400);
    expectRefused(await patch("absent", "merge-patch+json", "{}"), 404);
  });
});
