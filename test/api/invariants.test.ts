import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConfigMap, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { configMaps, deployments, leases, pods, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { type ApiFixture, startApi } from "./api-fixture.ts";
import { watchLines } from "./watch-lines.ts";

let api: ApiFixture;
const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";

beforeAll(async () => {
  api = await startApi();
  await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
});

afterAll(async () => {
  await api.stop();
});

function map(name: string, data: Record<string, string> = { key: "value" }): ConfigMap {
  return { metadata: { name, namespace: "default" }, data };
}

function pod(name: string): Pod {
  return { metadata: { name, namespace: "default" }, spec: { containers: [{ name: "c", image: "i" }] } };
}

function body(object: object): { body: string } {
  return { body: JSON.stringify(object) };
}

interface Listed {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: { metadata: { name: string; resourceVersion: string } }[];
}

async function list(target: string): Promise<Listed> {
  const answer = await api.send("GET", target);
  expect(answer.text).toContain('"items":');
  return answer.json() as unknown as Listed;
}

async function storedBytes(key: string): Promise<string | undefined> {
  const { kvs } = await api.store.range({ key: Buffer.from(key) });
  return kvs[0] === undefined ? undefined : Buffer.from(kvs[0].value).toString("base64");
}

async function storeState(): Promise<string> {
  const { kvs } = await api.store.range({ key: Buffer.from("/registry/"), rangeEnd: Buffer.from("/registry0") });
  return kvs
    .map((kv) => `${Buffer.from(kv.key)} ${kv.modRevision} ${Buffer.from(kv.value).toString("base64")}`)
    .join("\n");
}

describe("invariant 16: conflicts", () => {
  test("an update with a stale resourceVersion is a conflict in upstream's words", async () => {
    const made = await api.client.create(configMaps, map("stale"));
    await api.client.update(configMaps, { ...made, data: { key: "new" } });
    const answer = await api.send("PUT", `${MAPS}/stale`, body({ ...made, data: { key: "late" } }));
    expect(answer.status).toBe(409);
    expect(answer.json()).toMatchObject({
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on configmaps "stale": the object has been modified; please apply your changes to the latest version and try again',
      details: { name: "stale", kind: "configmaps" },
    });
  });

  test("of racing updates from one version exactly one wins", async () => {
    const made = await api.client.create(configMaps, map("race"));
    const writes = Array.from({ length: 20 }, (_, index) =>
      api.send("PUT", `${MAPS}/race`, body({ ...made, data: { key: String(index) } })),
    );
    const codes = (await Promise.all(writes)).map((answer) => answer.status).sort();
    expect(codes.filter((code) => code === 200)).toHaveLength(1);
    expect(codes.filter((code) => code === 409)).toHaveLength(19);
  });

  test("of racing creates of one name exactly one wins", async () => {
    const writes = Array.from({ length: 20 }, () => api.send("POST", MAPS, body(map("once"))));
    const answers = await Promise.all(writes);
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    const losers = answers.filter((answer) => answer.status === 409);
    expect(losers).toHaveLength(19);
    expect(losers[0]?.json()).toMatchObject({ reason: "AlreadyExists", message: 'configmaps "once" already exists' });
  });

  test("uid preconditions hold for updates and deletes", async () => {
    const made = await api.client.create(configMaps, map("uid"));
    const wrongUid = { ...made, metadata: { ...made.metadata, uid: "other", resourceVersion: "" } };
    expect((await api.send("PUT", `${MAPS}/uid`, body(wrongUid))).status).toBe(409);
    const options = { kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid: "other" } };
    expect((await api.send("DELETE", `${MAPS}/uid`, body(options))).status).toBe(409);
    expect((await api.send("GET", `${MAPS}/uid`)).status).toBe(200);
  });

  test("unconditional updates and patches race without losing one another", async () => {
    await api.client.create(configMaps, map("merge", {}));
    const patches = Array.from({ length: 20 }, (_, index) =>
      api.send("PATCH", `${MAPS}/merge`, {
        headers: { "content-type": "application/merge-patch+json" },
        body: JSON.stringify({ data: { [`k${index}`]: "v" } }),
      }),
    );
    expect((await Promise.all(patches)).every((answer) => answer.status === 200)).toBe(true);
    const found = await api.client.get(configMaps, { namespace: "default", name: "merge" });
    expect(Object.keys(found.data ?? {})).toHaveLength(20);
  });
});

describe("invariant 17: resource versions", () => {
  test("a list has a version not below any item's, and sees every write before it", async () => {
    for (let index = 0; index < 20; index++) {
      await api.send("POST", MAPS, body(map(`fresh-${index}`)));
      const listed = await list(MAPS);
      expect(listed.items.some((item) => item.metadata.name === `fresh-${index}`)).toBe(true);
      for (const item of listed.items) {
        expect(Number(item.metadata.resourceVersion)).toBeLessThanOrEqual(Number(listed.metadata.resourceVersion));
      }
    }
  });

  test("a list sees what was written to the store behind the server's back", async () => {
    const { kvs } = await api.store.range({ key: Buffer.from("/registry/configmaps/default/fresh-0") });
    await api.store.txn({
      compare: [],
      success: [{ type: "delete", key: Buffer.from("/registry/configmaps/default/fresh-0") }],
    });
    expect((await list(MAPS)).items.some((item) => item.metadata.name === "fresh-0")).toBe(false);
    const value = kvs[0]!.value;
    await api.store.txn({
      compare: [],
      success: [{ type: "put", key: Buffer.from("/registry/configmaps/default/fresh-0"), value }],
    });
    expect((await api.send("GET", `${MAPS}/fresh-0`)).status).toBe(200);
  });

  test("an exact list is of exactly that version", async () => {
    const before = await list(MAPS);
    await api.client.create(configMaps, map("later"));
    const exact = await list(`${MAPS}?resourceVersion=${before.metadata.resourceVersion}&resourceVersionMatch=Exact`);
    expect(exact).toEqual(before);
    const newer = await list(
      `${MAPS}?resourceVersion=${before.metadata.resourceVersion}&resourceVersionMatch=NotOlderThan`,
    );
    expect(newer.items).toHaveLength(before.items.length + 1);
  });
});

describe("invariant 18: list and watch", () => {
  test("a list and the watch from it give the next list", async () => {
    const start = await list(PODS);
    for (let index = 0; index < 5; index++) await api.client.create(pods, pod(`replay-${index}`));
    await api.client.delete(pods, { namespace: "default", name: "replay-2" });
    const end = await list(PODS);
    const state = new Map(start.items.map((item) => [item.metadata.name, item.metadata.resourceVersion]));
    const target = `${PODS}?watch=true&resourceVersion=${start.metadata.resourceVersion}`;
    for (const event of await watchLines(api, target, 6)) {
      const { name = "", resourceVersion = "" } = event.object.metadata;
      if (event.type === "DELETED") state.delete(name);
      else state.set(name, resourceVersion);
    }
    expect(state).toEqual(new Map(end.items.map((item) => [item.metadata.name, item.metadata.resourceVersion])));
  });

  test("a streaming list ends with the bookmark of its snapshot", async () => {
    const listed = await list(PODS);
    const query = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    const events = await watchLines(api, `${PODS}?${query}`, listed.items.length + 1);
    expect(events.slice(0, -1).map((event) => event.type)).toEqual(listed.items.map(() => "ADDED"));
    expect(events.at(-1)).toMatchObject({
      type: "BOOKMARK",
      object: { metadata: { annotations: { "k8s.io/initial-events-end": "true" } } },
    });
    expect(Number(events.at(-1)?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(
      Number(listed.metadata.resourceVersion),
    );
  });

  test("objects that come to match are added, those that cease to are deleted", async () => {
    await api.client.create(pods, pod("moving"));
    const { metadata } = await list(PODS);
    for (const tier of ["front", "front2", "back"]) {
      await api.client.patch(
        pods,
        { namespace: "default", name: "moving" },
        { type: "merge", body: { metadata: { labels: { tier } } } },
      );
    }
    const selector = encodeURIComponent("tier in (front,front2)");
    const target = `${PODS}?watch=true&resourceVersion=${metadata.resourceVersion}&labelSelector=${selector}`;
    const events = await watchLines(api, target, 3);
    expect(events.map((event) => event.type)).toEqual(["ADDED", "MODIFIED", "DELETED"]);
  });
});

describe("invariant 20: what does not change", () => {
  test("a dry run changes nothing in the store", async () => {
    await api.client.create(configMaps, map("dry"));
    const before = await storeState();
    const created = await api.send("POST", `${MAPS}?dryRun=All`, body(map("dry-new")));
    expect(created.status).toBe(201);
    expect(created.json()).toMatchObject({ metadata: { name: "dry-new", uid: expect.any(String) } });
    expect((await api.send("PUT", `${MAPS}/dry?dryRun=All`, body(map("dry", { other: "x" })))).status).toBe(200);
    const patch = { headers: { "content-type": "application/merge-patch+json" }, body: '{"data":{"key":"p"}}' };
    expect((await api.send("PATCH", `${MAPS}/dry?dryRun=All`, patch)).json()).toMatchObject({ data: { key: "p" } });
    expect((await api.send("DELETE", `${MAPS}/dry?dryRun=All`)).status).toBe(200);
    expect((await api.send("DELETE", `${MAPS}?dryRun=All`)).status).toBe(200);
    expect(await storeState()).toBe(before);
    expect((await api.send("POST", `${MAPS}?dryRun=All`, body(map("dry")))).status).toBe(409);
  });

  test("a status write never touches the spec, a spec write never the status, and only the spec raises the generation", async () => {
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    const spec = { replicas: 1, selector: { matchLabels: { a: "b" } }, template };
    const made = await api.client.create(deployments, { metadata: { name: "d", namespace: "default" }, spec });
    expect(made.metadata?.generation).toBe(1);
    const withStatus = { ...made, spec: { ...made.spec, replicas: 9 }, status: { replicas: 3 } } as typeof made;
    const statusWritten = await api.client.update(deployments, withStatus, { subresource: "status" });
    expect(statusWritten.spec?.replicas).toBe(1);
    expect(statusWritten.status?.replicas).toBe(3);
    expect(statusWritten.metadata?.generation).toBe(1);
    const specWritten = await api.client.update(deployments, {
      ...statusWritten,
      spec: { ...statusWritten.spec, replicas: 2 },
      status: { replicas: 8 },
    } as typeof made);
    expect(specWritten.spec?.replicas).toBe(2);
    expect(specWritten.status?.replicas).toBe(3);
    expect(specWritten.metadata?.generation).toBe(2);
  });

  test("an update that changes nothing writes nothing", async () => {
    const made = await api.client.create(configMaps, map("same"));
    const bytes = await storedBytes("/registry/configmaps/default/same");
    const again = await api.client.update(configMaps, made);
    expect(again.metadata?.resourceVersion).toBe(made.metadata?.resourceVersion);
    expect(await storedBytes("/registry/configmaps/default/same")).toBe(bytes);
  });
});

describe("invariant 21: deletion", () => {
  test("with a finalizer an object is only marked, and goes with its last finalizer", async () => {
    await api.client.create(configMaps, {
      ...map("kept"),
      metadata: { name: "kept", namespace: "default", finalizers: ["example.com/a", "example.com/b"] },
    });
    const marked = (await api.send("DELETE", `${MAPS}/kept`)).json() as { metadata: Record<string, unknown> };
    expect(marked.metadata["deletionTimestamp"]).toEqual(expect.any(String));
    const again = (await api.send("DELETE", `${MAPS}/kept`)).json() as { metadata: Record<string, unknown> };
    expect(again.metadata["deletionTimestamp"]).toBe(marked.metadata["deletionTimestamp"]);
    const patch = (finalizers: string[]): Promise<unknown> =>
      api.client.patch(
        configMaps,
        { namespace: "default", name: "kept" },
        { type: "merge", body: { metadata: { finalizers } } },
      );
    await patch(["example.com/b"]);
    expect((await api.send("GET", `${MAPS}/kept`)).status).toBe(200);
    await expect(patch(["example.com/b", "example.com/c"])).rejects.toMatchObject({ code: 422 });
    await patch([]);
    expect((await api.send("GET", `${MAPS}/kept`)).status).toBe(404);
  });

  test("a running pod gets grace, which later deletes can only shorten", async () => {
    await api.client.create(pods, pod("graceful"));
    const key = { namespace: "default", name: "graceful" };
    await api.client.createSubresource(pods, key, "binding", {
      metadata: { name: "graceful" },
      target: { kind: "Node", name: "n1" },
    });
    const first = (await api.send("DELETE", `${PODS}/graceful`)).json() as { metadata: Record<string, unknown> };
    expect(first.metadata["deletionGracePeriodSeconds"]).toBe(30);
    const longer = (await api.send("DELETE", `${PODS}/graceful?gracePeriodSeconds=90`)).json() as typeof first;
    expect(longer.metadata["deletionGracePeriodSeconds"]).toBe(30);
    expect(longer.metadata["deletionTimestamp"]).toBe(first.metadata["deletionTimestamp"]);
    const shorter = (await api.send("DELETE", `${PODS}/graceful?gracePeriodSeconds=5`)).json() as typeof first;
    expect(shorter.metadata["deletionGracePeriodSeconds"]).toBe(5);
    expect((await api.send("DELETE", `${PODS}/graceful?gracePeriodSeconds=0`)).status).toBe(200);
    expect((await api.send("GET", `${PODS}/graceful`)).status).toBe(404);
  });

  test("a namespace waits for its finalizers", async () => {
    await api.kubectl.ok(["create", "namespace", "going"]);
    await api.kubectl.ok(["delete", "namespace", "going", "--wait=false"]);
    const going = (await api.send("GET", "/api/v1/namespaces/going")).json() as Record<string, unknown>;
    expect(going).toMatchObject({ status: { phase: "Terminating" }, spec: { finalizers: ["kubernetes"] } });
    const refused = await api.send("POST", "/api/v1/namespaces/going/configmaps", body({ metadata: { name: "x" } }));
    expect(refused.status).toBe(403);
    expect(refused.json()).toMatchObject({ details: { causes: [{ reason: "NamespaceTerminating" }] } });
    const finalized = await api.send("PUT", "/api/v1/namespaces/going/finalize", body({ ...going, spec: {} }));
    expect(finalized.status).toBe(200);
    expect((await api.send("GET", "/api/v1/namespaces/going")).status).toBe(404);
  });
});

describe("invariant 23: pages", () => {
  test("pages together are the list of their first page's version", async () => {
    for (let index = 0; index < 7; index++) {
      await api.client.create(leases, { metadata: { name: `page-${index}`, namespace: "default" } });
    }
    const target = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    const whole = await list(target);
    const first = await list(`${target}?limit=3`);
    expect(first.metadata.remainingItemCount).toBe(4);
    await api.client.create(leases, { metadata: { name: "page-00", namespace: "default" } });
    await api.client.delete(leases, { namespace: "default", name: "page-6" });
    const names = first.items.map((item) => item.metadata.name);
    let next = first.metadata.continue;
    while (next !== undefined) {
      const page = await list(`${target}?limit=3&continue=${encodeURIComponent(next)}`);
      expect(page.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      names.push(...page.items.map((item) => item.metadata.name));
      next = page.metadata.continue;
    }
    expect(names).toEqual(whole.items.map((item) => item.metadata.name));
  });

  test("a token is good for its own list only, and not when it was changed", async () => {
    const target = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    const token = (await list(`${target}?limit=1`)).metadata.continue ?? "";
    const elsewhere = await api.send("GET", `${MAPS}?limit=1&continue=${token}`);
    expect(elsewhere.status).toBe(400);
    const forged = `${token.slice(0, -4)}AAAA`;
    expect((await api.send("GET", `${target}?limit=1&continue=${forged}`)).status).toBe(400);
  });

  test("a compacted page is 410 Expired", async () => {
    const target = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    const token = (await list(`${target}?limit=1`)).metadata.continue ?? "";
    await api.client.create(leases, { metadata: { name: "newer", namespace: "default" } });
    await api.store.compact((await api.store.status()).revision);
    const answer = await api.send("GET", `${target}?limit=1&continue=${token}`);
    expect(answer.status).toBe(410);
    expect(answer.json()).toMatchObject({ reason: "Expired" });
  });
});
