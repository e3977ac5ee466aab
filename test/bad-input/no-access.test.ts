import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authority } from "../../lib/pki/authority.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
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

describe("invariant 51: no answer without an allow decision", () => {
  test("nobody without credentials gets past health and version", async () => {
    for (const open of ["/healthz", "/livez", "/readyz", "/version"]) {
      expect((await api.send("GET", open, { as: "none" })).status).toBe(200);
    }
    for (const closed of ["/api", "/apis", "/metrics", MAPS, "/openapi/v3", "/", "/api/v1/namespaces"]) {
      expectRefused(await api.send("GET", closed, { as: "none" }), 401);
    }
    const forged = { as: "none" as const, headers: { authorization: "Bearer a.b.c" } };
    expectRefused(await api.send("GET", MAPS, forged), 401);
    expectRefused(await api.send("GET", "/version", forged), 401);
  });

  test("who has a name may discover and nothing else, and is refused before the body is read", async () => {
    const as = await api.clientCertificate("nobody", ["people"]);
    expect((await api.send("GET", "/apis", { as })).status).toBe(200);
    expectRefused(await api.send("GET", "/metrics", { as }), 403);
    expectRefused(await api.send("GET", "/api/v1/nodes", { as }), 403);
    expectRefused(await api.send("POST", MAPS, { as, body: "not even JSON" }), 403);
    const pod = await api.send("DELETE", `${PODS}/x`, { as });
    expect(pod.json()["message"]).toBe(
      'pods "x" is forbidden: User "nobody" cannot delete resource "pods" in API group "" in the namespace "default"',
    );
  });

  test("whoever is impersonated has no more than its own rights", async () => {
    const headers = { "impersonate-user": "jane", "impersonate-group": "people" };
    const denied = await api.send("GET", MAPS, { headers });
    expect(denied.json()["message"]).toContain('User "jane" cannot list resource "configmaps"');
    expectRefused(denied, 403);
    expectRefused(await api.send("GET", "/metrics", { headers }), 403);
    const who = { headers, body: "{}" };
    const review = await api.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", who);
    expect(review.json()).toMatchObject({
      status: { userInfo: { username: "jane", groups: ["people", "system:authenticated"] } },
    });
    const as = await api.clientCertificate("nobody", []);
    const masters = { "impersonate-user": "admin", "impersonate-group": "system:masters" };
    expectRefused(await api.send("GET", MAPS, { as, headers: masters }), 403);
    expectRefused(await api.send("GET", "/version", { as: "none", headers: masters }), 403);
    expectRefused(await api.send("GET", MAPS, { headers: { "impersonate-group": "system:masters" } }), 400);
  });

  test("a certificate of another authority is no identity", async () => {
    const foreign = await Authority.create("client", realClock, realRandom);
    const as = await foreign.issue({
      commonName: "admin",
      organizations: ["system:masters"],
      usages: ["client"],
      validityDays: 1,
    });
    expectRefused(await api.send("GET", MAPS, { as }), 401);
  });
});
