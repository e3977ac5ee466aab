import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { Codec } from "../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { eventually } from "../kit/eventually.ts";
import { type ApiFixture, startApi } from "./api-fixture.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const codec = new Codec();
const schema = loadRegistry(kindDescriptors).schemaOfKind("", "v1", "ConfigMap")!;

let api: ApiFixture;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const keyOf = (name: string): Buffer => Buffer.from(`/registry/configmaps/default/${name}`);

async function stored(name: string): Promise<Buffer | undefined> {
  const { kvs } = await api.store.range({ key: keyOf(name) });
  return kvs[0] === undefined ? undefined : Buffer.from(kvs[0].value);
}

async function put(name: string, value: Uint8Array): Promise<void> {
  await api.store.txn({ compare: [], success: [{ type: "put", key: keyOf(name), value }] });
  await eventually(async () => expect((await api.send("GET", `${MAPS}/${name}`)).status).toBe(200));
}

function objectOf(name: string): Record<string, unknown> {
  const uid = `00000000-0000-4000-8000-${Buffer.from(name).toString("hex").padStart(12, "0").slice(-12)}`;
  const metadata = { name, namespace: "default", uid, creationTimestamp: "2026-01-02T03:04:05Z" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: "1" } };
}

/** As a later version would store it: field 99 of the message, or one of its metadata, holds a string. */
function inProtobuf(name: string, where: "object" | "metadata"): Buffer {
  const extra = Buffer.from([0x9a, 0x06, 0x03, 0x6e, 0x65, 0x77]);
  const message = codec.encodeProtobuf(schema, objectOf(name));
  // The first field of the message is its metadata, shorter than 128 bytes.
  const end = 2 + message[1]!;
  const head = Buffer.from([message[0]!, message[1]! + (where === "metadata" ? extra.length : 0)]);
  const parts =
    where === "metadata"
      ? [head, message.subarray(2, end), extra, message.subarray(end)]
      : [head, message.subarray(2), extra];
  const raw = Buffer.concat(parts);
  return Buffer.concat([codec.envelopeHead({ apiVersion: "v1", kind: "ConfigMap" }, raw.length), raw, ENVELOPE_END]);
}

const ENVELOPE_END = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

const STORED: readonly (readonly [string, (name: string) => Buffer, string])[] = [
  ["in-object", (name) => inProtobuf(name, "object"), "#99"],
  ["in-metadata", (name) => inProtobuf(name, "metadata"), "metadata.#99"],
  ["in-json", (name) => Buffer.from(JSON.stringify({ ...objectOf(name), later: true })), "later"],
];

describe.each(STORED)("invariant 24: a stored object with a field that is not known, %s", (name, encode, field) => {
  let bytes: Buffer;
  beforeAll(async () => {
    bytes = encode(name);
    await put(name, bytes);
  });

  test("is served: get, list, watch", async () => {
    const got = (await api.send("GET", `${MAPS}/${name}`)).json();
    expect(got).toMatchObject({ metadata: { name }, data: { a: "1" } });
    const list = (await api.send("GET", MAPS)).json() as { items: { metadata: { name: string } }[] };
    expect(list.items.map((item) => item.metadata.name)).toContain(name);
    const watch = `${MAPS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name=${name}`;
    const events = (await api.send("GET", watch)).text;
    expect(JSON.parse(events.split("\n")[0]!)).toMatchObject({ type: "ADDED", object: { metadata: { name } } });
  });

  test("is not written to, by whichever verb, and its bytes stay", async () => {
    const patch = (type: string, body: unknown, query = "") =>
      api.send("PATCH", `${MAPS}/${name}${query}`, {
        body: JSON.stringify(body),
        headers: { "content-type": `application/${type}` },
      });
    const current = (await api.send("GET", `${MAPS}/${name}`)).json();
    const answers = [
      await api.send("PUT", `${MAPS}/${name}`, { body: JSON.stringify({ ...current, data: { a: "2" } }) }),
      await patch("merge-patch+json", { metadata: { labels: { a: "b" } } }),
      await patch("strategic-merge-patch+json", { data: { a: "2" } }),
      await patch("json-patch+json", [{ op: "add", path: "/data/b", value: "c" }]),
      await patch(
        "apply-patch+yaml",
        { ...objectOf(name), metadata: { name }, data: { a: "2" } },
        "?fieldManager=m&force=true",
      ),
    ];
    for (const answer of answers) {
      expect(answer.json()).toMatchObject({ code: 403, reason: "Forbidden", details: { name, kind: "configmaps" } });
      const { message } = answer.json() as { message: string };
      expect(message).toContain(`fields that this version of the server does not know (${field})`);
    }
    expect(await stored(name)).toEqual(bytes);
  });

  test("can be deleted", async () => {
    expect((await api.send("DELETE", `${MAPS}/${name}`)).status).toBe(200);
    expect(await stored(name)).toBeUndefined();
  });
});

test("invariant 24: a pod with a field that is not known is deleted at once or not at all", async () => {
  const podSchema = loadRegistry(kindDescriptors).schemaOfKind("", "v1", "Pod")!;
  const pods = "/api/v1/namespaces/default/pods";
  const pod = {
    ...objectOf("pod"),
    kind: "Pod",
    data: undefined,
    spec: { nodeName: "somewhere", terminationGracePeriodSeconds: 30, containers: [{ name: "a", image: "a" }] },
    later: true,
  };
  expect(codec.decodeJson(podSchema, JSON.stringify(pod)).unknownFields).toEqual(["later"]);
  const key = Buffer.from("/registry/pods/default/pod");
  const value = Buffer.from(JSON.stringify(pod));
  await api.store.txn({ compare: [], success: [{ type: "put", key, value }] });
  await eventually(async () => expect((await api.send("GET", `${pods}/pod`)).status).toBe(200));
  expect((await api.send("DELETE", `${pods}/pod`)).json()).toMatchObject({ code: 403, reason: "Forbidden" });
  expect((await api.send("DELETE", `${pods}/pod?gracePeriodSeconds=0`)).status).toBe(200);
  expect((await api.store.range({ key })).kvs).toEqual([]);
});
