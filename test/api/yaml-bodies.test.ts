import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiFixture, type HttpAnswer, startApi } from "./api-fixture.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const LIMIT_BYTES = 16 * 1024;

let api: ApiFixture;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

function yamlOf(name: string, sizeBytes: number): string {
  let text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n`;
  for (let line = 0; text.length < sizeBytes - 40; line++) text += `  key-${line}: value\n`;
  return text.padEnd(sizeBytes, "#");
}

function jsonOf(name: string, value: string): string {
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value } });
}

const create = (body: string): Promise<HttpAnswer> =>
  api.send("POST", MAPS, { body, headers: { "content-type": "application/yaml" } });
const apply = (name: string, body: string): Promise<HttpAnswer> =>
  api.send("PATCH", `${MAPS}/${name}?fieldManager=test`, {
    body,
    headers: { "content-type": "application/apply-patch+yaml" },
  });

describe("bodies called YAML", () => {
  test("YAML up to the limit is taken, to create and to apply", async () => {
    expect((await create(yamlOf("created", LIMIT_BYTES))).status).toBe(201);
    expect((await apply("applied", yamlOf("applied", LIMIT_BYTES))).status).toBe(201);
  });

  test("more is 413 and says what to do", async () => {
    const body = yamlOf("large", LIMIT_BYTES + 1);
    for (const answer of [await create(body), await apply("large", body)]) {
      expect(answer.json()).toMatchObject({
        kind: "Status",
        code: 413,
        reason: "RequestEntityTooLarge",
        message: "YAML of more than 16384 bytes is not read; send it as JSON",
      });
    }
    expect((await api.send("GET", `${MAPS}/large`)).status).toBe(404);
  });

  test("JSON has no such limit: kubectl and others apply JSON under the name of YAML", async () => {
    const value = "x".repeat(500_000);
    expect((await create(jsonOf("json-created", value))).status).toBe(201);
    const answer = await apply("json-applied", jsonOf("json-applied", value));
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({ data: { value } });
  });

  test("JSON under the name of YAML is as strict about duplicate fields and depth", async () => {
    const twice = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
    const strict = await api.send("PATCH", `${MAPS}/twice?fieldManager=test&fieldValidation=Strict`, {
      body: twice,
      headers: { "content-type": "application/apply-patch+yaml" },
    });
    expect(strict.json()).toMatchObject({ code: 400, reason: "BadRequest" });
    expect(strict.text).toContain('duplicate field \\"data.a\\"');
    const deep = `{"apiVersion":"v1","kind":"ConfigMap","data":${"[".repeat(200)}${"]".repeat(200)}}`;
    expect((await apply("deep", deep)).status).toBe(400);
  });
});
