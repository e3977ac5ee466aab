import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMaps, leases } from "../../lib/gen/k8s/resources.ts";
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

describe("REST queries", () => {
  test("resourceVersion `abc` -> 400", async () => {
    expectRefused(await api.send("GET", `${MAPS}?resourceVersion=abc`), 400);
    expectRefused(await api.send("GET", `${MAPS}?watch=1&resourceVersion=abc`), 400);
    expectRefused(await api.send("GET", `${MAPS}/x?resourceVersion=abc`), 400);
  });

  test("-1 -> 400", async () => {
    for (const version of ["-1", "-0", "+1", "1e3", "0x1", "1.0", "9223372036854775808", "1".repeat(400)]) {
      const query = `resourceVersion=${encodeURIComponent(version)}`;
      for (const target of [`${MAPS}?`, `${MAPS}?watch=1&`, `${MAPS}/x?`, `${MAPS}?resourceVersionMatch=Exact&`]) {
        expectRefused(await api.send("GET", target + query), 400);
      }
    }
  });

  test('future RV -> 504 + "Too large resource version" + Retry-After', async () => {
    // A watch alone waits instead (test/etcd/lagging-api-server.test.ts).
    const targets = [`${MAPS}?`, `${MAPS}/x?`, `${MAPS}?resourceVersionMatch=Exact&`];
    const answers = await Promise.all(targets.map((target) => api.send("GET", `${target}resourceVersion=999999999`)));
    for (const answer of answers) {
      expectRefused(answer, 504);
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
    expectRefused(await api.send("GET", `${MAPS}?resourceVersion=${version}&resourceVersionMatch=Exact`), 410);
  });

  test("resourceVersionMatch without RV -> 422", async () => {
    expectRefused(await api.send("GET", `${MAPS}?resourceVersionMatch=Exact`), 422);
    expectRefused(await api.send("GET", `${MAPS}?resourceVersion=0&resourceVersionMatch=Exact`), 422);
    expectRefused(await api.send("GET", `${MAPS}?resourceVersion=1&resourceVersionMatch=Sometimes`), 422);
  });

  test("bad selector 400", async () => {
    await api.client.create(configMaps, { metadata: { name: "stays", namespace: "default" } });
    for (const text of ["a in (b", "a==b==c", "a,,b", "=", "!", "a>x", "é", "a\0b", "x".repeat(5000)]) {
      for (const kind of ["labelSelector", "fieldSelector"]) {
        const selector = `${kind}=${encodeURIComponent(text)}`;
        expectRefused(await api.send("GET", `${MAPS}?${selector}`), 400);
        expectRefused(await api.send("GET", `${MAPS}?watch=1&${selector}`), 400);
        // What selects nothing that makes sense must not select everything.
        expectRefused(await api.send("DELETE", `${MAPS}?${selector}`), 400);
      }
    }
    expect((await api.send("GET", `${MAPS}/stays`)).status).toBe(200);
    expectRefused(await api.send("GET", `${MAPS}?labelSelector=${encodeURIComponent("a in (b")}`), 400);
    expectRefused(await api.send("GET", `${MAPS}?fieldSelector=spec.nothing%3Dx`), 400);
    expectRefused(await api.send("GET", `${PODS}?fieldSelector=a`), 400);
  });

  test("limit < 0 400 (our rule)", async () => {
    expectRefused(await api.send("GET", `${MAPS}?limit=-1`), 400);
    expectRefused(await api.send("GET", `${MAPS}?limit=many`), 400);
  });

  test("forged continue 400", async () => {
    for (const token of ["%00", "AAAA", "A".repeat(5000), "eyJ2IjoibWV0YSJ9", "-", "__proto__"]) {
      expectRefused(await api.send("GET", `${MAPS}?continue=${token}`), 400);
    }
    expectRefused(await api.send("GET", `${MAPS}?limit=1&continue=forged`), 400);
    const upstream = Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"x\\u0000"}').toString("base64url");
    expectRefused(await api.send("GET", `${MAPS}?limit=1&continue=${upstream}`), 400);
  });

  test("sendInitialEvents without NotOlderThan 422", async () => {
    expectRefused(await api.send("GET", `${MAPS}?watch=1&sendInitialEvents=true`), 422);
    expectRefused(await api.send("GET", `${MAPS}?watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1`), 422);
    expectRefused(await api.send("GET", `${MAPS}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan`), 422);
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
      expectRefused(await small.send("GET", `${MAPS}?${from}`), 410);
      const quiet = await small.send("GET", `/apis/coordination.k8s.io/v1/leases?${from}`);
      expect(quiet.status).toBe(200);
      expect(quiet.text).toBe("");
    } finally {
      await small.stop();
    }
  });
});
