import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMaps, leases } from "../../lib/gen/k8s/resources.ts";
import { type ApiFixture, type HttpAnswer, startApi } from "../api/api-fixture.ts";

let api: ApiFixture;
const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";

beforeAll(async () => {
  api = await startApi();
});

afterAll(async () => {
  await api.stop();
});

let made = 0;

/** A ConfigMap of a name that nobody has, with these other members as JSON text. */
function mapText(members = '"data":{"key":"value"}'): string {
  return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad-${made++}"},${members}}`;
}

function post(body: string | Uint8Array, headers: Record<string, string> = {}, query = ""): Promise<HttpAnswer> {
  return api.send("POST", `${MAPS}${query}`, { body, headers });
}

function refused(answer: HttpAnswer, code: number, reason?: string): void {
  const status = answer.json();
  expect(status).toMatchObject({ kind: "Status", apiVersion: "v1", status: "Failure", code });
  expect(answer.status).toBe(code);
  expect(status["message"]).toEqual(expect.stringMatching(/\S/));
  if (reason !== undefined) expect(status["reason"]).toBe(reason);
}

describe("REST shape", () => {
  test("bad JSON -> 400", async () => {
    for (const body of ["{", "", "nonsense", '{"kind":}', "[1]", "3", "null"])
      refused(await post(body), 400, "BadRequest");
  });

  test("trailing data -> 400", async () => {
    refused(await post(`${mapText()} {}`), 400);
    refused(await post(`${mapText()}x`), 400);
  });

  test("NaN/1e400 -> 400", async () => {
    const event = (count: string): string =>
      `{"apiVersion":"v1","kind":"Event","metadata":{"name":"e${made++}"},"involvedObject":{},"count":${count}}`;
    for (const number of ["NaN", "1e400", "-1e400", "Infinity", "1.5", "2147483648"]) {
      refused(await api.send("POST", "/api/v1/namespaces/default/events", { body: event(number) }), 400);
    }
  });

  test("lone surrogate -> 400", async () => {
    refused(await post(mapText('"data":{"key":"\\ud800"}')), 400);
  });

  test("invalid UTF-8 -> 400", async () => {
    const bytes = Buffer.from(mapText('"data":{"key":"??"}'));
    bytes[bytes.indexOf("??")] = 0xff;
    refused(await post(bytes), 400);
  });

  test("depth > 100 (CR schemas 10 k nodes) -> 400", async () => {
    refused(await post(mapText(`"deep":${"[".repeat(200)}${"]".repeat(200)}`)), 400);
    refused(await post(mapText(`"deep":${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`)), 400);
  });

  test("body > 3 MiB -> 413", async () => {
    const body = mapText(`"data":{"key":"${"x".repeat(3 * 1024 * 1024)}"}`);
    refused(await post(body), 413, "RequestEntityTooLarge");
  });

  test("unknown Content-Type 415", async () => {
    refused(await post(mapText(), { "content-type": "text/csv" }), 415, "UnsupportedMediaType");
    const patch = { body: "{}", headers: { "content-type": "application/json" } };
    refused(await api.send("PATCH", `${MAPS}/x`, patch), 415, "UnsupportedMediaType");
  });

  test("Accept 406", async () => {
    refused(await api.send("GET", MAPS, { headers: { accept: "image/png" } }), 406, "NotAcceptable");
    const table = "application/json;as=Table;v=v9;g=meta.k8s.io";
    refused(await api.send("GET", MAPS, { headers: { accept: table } }), 406);
    const either = await api.send("GET", MAPS, { headers: { accept: `${table}, application/json` } });
    expect(either.status).toBe(200);
  });

  test("wrong verb 405", async () => {
    refused(await api.send("PUT", MAPS, { body: mapText() }), 405, "MethodNotAllowed");
    refused(await api.send("POST", `${MAPS}/x`, { body: mapText() }), 405);
    refused(await api.send("DELETE", "/api/v1/namespaces"), 405);
    refused(await api.send("OPTIONS", MAPS), 405);
    refused(await api.send("GET", "/apis/authentication.k8s.io/v1/tokenreviews"), 405);
    refused(await api.send("GET", "/api/v1/nothing"), 404, "NotFound");
    refused(await api.send("GET", "/apis/none.example.com/v1/things"), 404);
  });
});

describe("REST fields", () => {
  test("unknown/duplicate field by fieldValidation Strict 400, Warn header, Ignore", async () => {
    const members = '"data":{"a":"1","a":"2"},"nonsense":1';
    const strict = await post(mapText(members), {}, "?fieldValidation=Strict");
    refused(strict, 400);
    expect(strict.json()["message"]).toContain(
      'strict decoding error: unknown field "nonsense", duplicate field "data.a"',
    );
    const warned = await post(mapText(members), {}, "?fieldValidation=Warn");
    expect(warned.status).toBe(201);
    expect(warned.headers["warning"]).toBe(
      '299 - "unknown field \\"nonsense\\"", 299 - "duplicate field \\"data.a\\""',
    );
    expect(warned.json()["data"]).toEqual({ a: "2" });
    const ignored = await post(mapText(members), {}, "?fieldValidation=Ignore");
    expect(ignored.status).toBe(201);
    expect(ignored.headers["warning"]).toBeUndefined();
    refused(await post(mapText(), {}, "?fieldValidation=Sometimes"), 422, "Invalid");
  });

  test("int64 beyond 2^53 kept exact", async () => {
    const spec = '{"containers":[{"name":"c","image":"i"}],"activeDeadlineSeconds":9007199254740993}';
    const template = `{"apiVersion":"v1","kind":"PodTemplate","metadata":{"name":"int64"},"template":{"spec":${spec}}}`;
    const answer = await api.send("POST", "/api/v1/namespaces/default/podtemplates", { body: template });
    // Seconds must fit 32 bits, says validation: the number must at least be named as it was sent.
    if (answer.status === 422) expect(answer.text).toContain("9007199254740993");
    else expect(answer.text).toContain('"activeDeadlineSeconds":9007199254740993');
    const lease = `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"i","generation":9007199254740993}}`;
    expect(
      (await api.send("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", { body: lease })).status,
    ).toBe(201);
  });

  test("`__proto__`, `constructor` as map keys stored as plain data (null-prototype maps)", async () => {
    const text = mapText('"data":{"__proto__":"x","constructor":"y","toString":"z"}');
    const answer = await post(text);
    expect(answer.status).toBe(201);
    expect(answer.text).toContain('"data":{"__proto__":"x","constructor":"y","toString":"z"}');
    expect(({} as { x?: unknown }).x).toBeUndefined();
    const polluting = '{"metadata":{"__proto__":{"polluted":"yes"},"labels":{"__proto__":"l"}}}';
    const name = (answer.json()["metadata"] as { name: string }).name;
    await api.send("PATCH", `${MAPS}/${name}`, {
      headers: { "content-type": "application/merge-patch+json" },
      body: polluting,
    });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  const bodyNames: [title: string, name: string][] = [
    ["name `..` -> 422/404 and never reach key building (NCC)", ".."],
    ["`%2e%2e` -> 422/404 and never reach key building (NCC)", "%2e%2e"],
    ["`/` -> 422/404 and never reach key building (NCC)", "a/b"],
    ["NUL -> 422/404 and never reach key building (NCC)", "a\0b"],
    ["254 chars -> 422/404 and never reach key building (NCC)", "a".repeat(254)],
  ];
  test.each(bodyNames)("%s", async (_title, name) => {
    const before = await api.store.status();
    const body = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
    refused(await post(body), 422, "Invalid");
    refused(await api.send("GET", `${MAPS}/${encodeURIComponent(name)}`), 404);
    refused(await api.send("DELETE", `/api/v1/namespaces/${encodeURIComponent(name)}/configmaps/x`), 404);
    refused(await api.send("PUT", `${MAPS}/${encodeURIComponent(name)}`, { body }), 404);
    expect((await api.store.status()).revision).toBe(before.revision);
  });

  test("`%2e%2e` in raw paths is a name, never a way up", async () => {
    for (const raw of [
      `${MAPS}/..`,
      `${MAPS}/%2e%2e`,
      `${MAPS}/%2E%2e/secrets`,
      "/api/v1/namespaces/../nodes",
      `${MAPS}/%00`,
    ]) {
      expect((await api.send("GET", raw)).status).toBe(404);
    }
    refused(await api.send("GET", `${MAPS}/%zz`), 400);
  });
});

describe("REST queries", () => {
  test("resourceVersion `abc` -> 400", async () => {
    refused(await api.send("GET", `${MAPS}?resourceVersion=abc`), 400);
    refused(await api.send("GET", `${MAPS}?watch=1&resourceVersion=abc`), 400);
    refused(await api.send("GET", `${MAPS}/x?resourceVersion=abc`), 400);
  });

  test("-1 -> 400", async () => {
    refused(await api.send("GET", `${MAPS}?resourceVersion=-1`), 400);
  });

  test('future RV -> 504 + "Too large resource version" + Retry-After', async () => {
    const targets = [`${MAPS}?`, `${MAPS}?watch=1&`, `${MAPS}/x?`, `${MAPS}?resourceVersionMatch=Exact&`];
    const answers = await Promise.all(targets.map((target) => api.send("GET", `${target}resourceVersion=999999999`)));
    for (const answer of answers) {
      refused(answer, 504, "Timeout");
      expect(answer.json()["message"]).toMatch(/^Too large resource version: 999999999, current: \d+$/);
      expect(answer.json()).toMatchObject({ details: { causes: [{ reason: "ResourceVersionTooLarge" }] } });
      expect(answer.headers["retry-after"]).toBe("1");
    }
  });

  test("compacted -> 410 Expired", async () => {
    const old = await api.client.create(configMaps, { metadata: { name: "old", namespace: "default" } });
    await api.client.update(configMaps, { ...old, data: { a: "b" } });
    await api.client.create(leases, { metadata: { name: "other", namespace: "default" } });
    await api.store.compact((await api.store.status()).revision);
    const version = old.metadata?.resourceVersion;
    refused(await api.send("GET", `${MAPS}?resourceVersion=${version}&resourceVersionMatch=Exact`), 410, "Expired");
  });

  test("resourceVersionMatch without RV -> 422", async () => {
    refused(await api.send("GET", `${MAPS}?resourceVersionMatch=Exact`), 422, "Invalid");
    refused(await api.send("GET", `${MAPS}?resourceVersion=0&resourceVersionMatch=Exact`), 422);
    refused(await api.send("GET", `${MAPS}?resourceVersion=1&resourceVersionMatch=Sometimes`), 422);
  });

  test("bad selector 400", async () => {
    refused(await api.send("GET", `${MAPS}?labelSelector=${encodeURIComponent("a in (b")}`), 400, "BadRequest");
    refused(await api.send("GET", `${MAPS}?fieldSelector=spec.nothing%3Dx`), 400, "BadRequest");
    refused(await api.send("GET", `${PODS}?fieldSelector=a`), 400);
  });

  test("limit < 0 400 (our rule)", async () => {
    refused(await api.send("GET", `${MAPS}?limit=-1`), 400);
    refused(await api.send("GET", `${MAPS}?limit=many`), 400);
  });

  test("forged continue 400", async () => {
    refused(await api.send("GET", `${MAPS}?limit=1&continue=forged`), 400);
    const upstream = Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"x\\u0000"}').toString("base64url");
    refused(await api.send("GET", `${MAPS}?limit=1&continue=${upstream}`), 400);
  });

  test("sendInitialEvents without NotOlderThan 422", async () => {
    refused(await api.send("GET", `${MAPS}?watch=1&sendInitialEvents=true`), 422, "Invalid");
    refused(await api.send("GET", `${MAPS}?watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1`), 422);
    refused(await api.send("GET", `${MAPS}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan`), 422);
  });
});

describe("REST patch", () => {
  function patch(name: string, type: string, body: string): Promise<HttpAnswer> {
    return api.send("PATCH", `${MAPS}/${name}`, { headers: { "content-type": `application/${type}` }, body });
  }

  beforeAll(async () => {
    await api.client.create(configMaps, { metadata: { name: "patched", namespace: "default" }, data: { a: "b" } });
  });

  test("JSON patch > 10 k ops 413/422", async () => {
    const operations = Array.from({ length: 10_001 }, () => '{"op":"add","path":"/data/x","value":"y"}').join();
    const answer = await patch("patched", "json-patch+json", `[${operations}]`);
    expect([413, 422]).toContain(answer.status);
  });

  test("test fails 422", async () => {
    const body = '[{"op":"test","path":"/data/a","value":"other"},{"op":"remove","path":"/data/a"}]';
    refused(await patch("patched", "json-patch+json", body), 422, "Invalid");
    expect((await api.send("GET", `${MAPS}/patched`)).json()).toMatchObject({ data: { a: "b" } });
  });

  test("copy bombs stopped by output size", async () => {
    const operations = ['{"op":"add","path":"/metadata/annotations","value":{"a":"xxxxxxxxxxxxxxxx"}}'];
    for (let index = 0; index < 64; index++) {
      operations.push(`{"op":"copy","from":"/metadata/annotations","path":"/metadata/annotations/k${index}"}`);
    }
    const answer = await patch("patched", "json-patch+json", `[${operations.join()}]`);
    expect([400, 413, 422]).toContain(answer.status);
  });

  test("YAML aliases > 100 or tabs 400", async () => {
    const yaml = (text: string): Promise<HttpAnswer> => post(text, { "content-type": "application/yaml" });
    const aliases = Array.from({ length: 200 }, (_, index) => `  k${index}: *v`).join("\n");
    refused(await yaml(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata:\n  a: &v x\n${aliases}\n`), 400);
    refused(await yaml("apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: y\n"), 400);
    expect((await yaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: 'b'}\n")).status).toBe(
      201,
    );
  });

  test("uid or RV mismatch 409", async () => {
    refused(await patch("patched", "merge-patch+json", '{"metadata":{"uid":"other"}}'), 409, "Conflict");
    refused(await patch("patched", "merge-patch+json", '{"metadata":{"resourceVersion":"1"}}'), 409, "Conflict");
  });

  test("namespace mismatch 400", async () => {
    refused(await patch("patched", "merge-patch+json", '{"metadata":{"namespace":"kube-system"}}'), 400, "BadRequest");
    const elsewhere = JSON.stringify({ metadata: { name: "x", namespace: "kube-system" } });
    refused(await post(elsewhere), 400, "BadRequest");
    refused(await api.send("PUT", `${MAPS}/patched`, { body: JSON.stringify({ metadata: { name: "other" } }) }), 400);
  });

  test("a patch that is no patch is 400", async () => {
    refused(await patch("patched", "merge-patch+json", "nonsense"), 400);
    refused(await patch("patched", "json-patch+json", '{"op":"add"}'), 400);
    refused(await patch("patched", "strategic-merge-patch+json", "[]"), 400);
    refused(await patch("absent", "merge-patch+json", "{}"), 404, "NotFound");
  });
});

describe("invariant 51: no answer without an allow decision", () => {
  test("nobody without credentials gets past health and version", async () => {
    for (const open of ["/healthz", "/livez", "/readyz", "/version"]) {
      expect((await api.send("GET", open, { as: "none" })).status).toBe(200);
    }
    for (const closed of ["/api", "/apis", "/metrics", MAPS, "/openapi/v3", "/", "/api/v1/namespaces"]) {
      refused(await api.send("GET", closed, { as: "none" }), 401, "Unauthorized");
    }
    const forged = { as: "none" as const, headers: { authorization: "Bearer a.b.c" } };
    refused(await api.send("GET", MAPS, forged), 401, "Unauthorized");
    refused(await api.send("GET", "/version", forged), 401, "Unauthorized");
  });

  test("who has a name may discover and nothing else, and is refused before the body is read", async () => {
    const as = await api.clientCertificate("nobody", ["people"]);
    expect((await api.send("GET", "/apis", { as })).status).toBe(200);
    refused(await api.send("GET", "/metrics", { as }), 403, "Forbidden");
    refused(await api.send("GET", "/api/v1/nodes", { as }), 403, "Forbidden");
    refused(await api.send("POST", MAPS, { as, body: "not even JSON" }), 403, "Forbidden");
    const pod = await api.send("DELETE", `${PODS}/x`, { as });
    expect(pod.json()["message"]).toBe(
      'pods "x" is forbidden: User "nobody" cannot delete resource "pods" in API group "" in the namespace "default"',
    );
  });

  test("whoever is impersonated has no more than its own rights", async () => {
    const headers = { "impersonate-user": "jane", "impersonate-group": "people" };
    const denied = await api.send("GET", MAPS, { headers });
    expect(denied.json()["message"]).toContain('User "jane" cannot list resource "configmaps"');
    refused(denied, 403, "Forbidden");
    refused(await api.send("GET", "/metrics", { headers }), 403, "Forbidden");
    const who = { headers, body: "{}" };
    const review = await api.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", who);
    expect(review.json()).toMatchObject({
      status: { userInfo: { username: "jane", groups: ["people", "system:authenticated"] } },
    });
    const as = await api.clientCertificate("nobody", []);
    const masters = { "impersonate-user": "admin", "impersonate-group": "system:masters" };
    refused(await api.send("GET", MAPS, { as, headers: masters }), 403, "Forbidden");
    refused(await api.send("GET", "/version", { as: "none", headers: masters }), 403, "Forbidden");
    refused(await api.send("GET", MAPS, { headers: { "impersonate-group": "system:masters" } }), 400, "BadRequest");
  });

  test("a certificate of another authority is no identity", async () => {
    const { Authority } = await import("../../lib/pki/authority.ts");
    const { realClock } = await import("../../lib/process/real-clock.ts");
    const { realRandom } = await import("../../lib/process/real-random.ts");
    const foreign = await Authority.create("client", realClock, realRandom);
    const as = await foreign.issue({
      commonName: "admin",
      organizations: ["system:masters"],
      usages: ["client"],
      validityDays: 1,
    });
    refused(await api.send("GET", MAPS, { as }), 401, "Unauthorized");
  });
});

describe("invariant 18: a watch and the end of its history", () => {
  test("from before the ring of its kind it is 410 Expired; a quiet kind keeps its history however busy others are", async () => {
    const small = await startApi({ ring: { events: 8, sizeBytes: 1024 * 1024 } });
    try {
      const { metadata } = (await small.send("GET", MAPS)).json() as { metadata: { resourceVersion: string } };
      for (let index = 0; index < 40; index++) {
        await small.client.create(configMaps, { metadata: { name: `r${index}`, namespace: "default" } });
      }
      const from = `watch=1&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`;
      refused(await small.send("GET", `${MAPS}?${from}`), 410, "Expired");
      const quiet = await small.send("GET", `/apis/coordination.k8s.io/v1/leases?${from}`);
      expect(quiet.status).toBe(200);
      expect(quiet.text).toBe("");
    } finally {
      await small.stop();
    }
  });
});
