import { connect as connectHttp2 } from "node:http2";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { configMaps, pods, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { Codec } from "../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import { type ApiFixture, startApi } from "./api-fixture.ts";

let api: ApiFixture;
const MAPS = "/api/v1/namespaces/default/configmaps";
const COUNT = 1_500;

beforeAll(async () => {
  api = await startApi();
  await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  const value = "x".repeat(600);
  await Promise.all(
    Array.from({ length: COUNT }, (_, index) =>
      api.client.create(configMaps, {
        metadata: { name: `m-${index}`, namespace: "default", labels: { tier: index % 2 === 0 ? "front" : "back" } },
        data: { value },
      }),
    ),
  );
});

afterAll(async () => {
  await api.stop();
});

interface Listed {
  kind: string;
  apiVersion: string;
  metadata: { resourceVersion: string; continue?: string };
  items: { kind?: string; metadata: { name: string } }[];
}

describe("large lists", () => {
  test("are the same in JSON, in protobuf, compressed, over HTTP/2 and in pages", async () => {
    const json = await api.send("GET", MAPS);
    const listed = json.json() as unknown as Listed;
    expect(listed).toMatchObject({ kind: "ConfigMapList", apiVersion: "v1" });
    expect(listed.items).toHaveLength(COUNT);
    expect(listed.items[0]?.kind).toBeUndefined();
    expect(json.headers["transfer-encoding"]).toBe("chunked");

    const zipped = await api.send("GET", MAPS, { headers: { "accept-encoding": "gzip" } });
    expect(zipped.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(zipped.bytes).equals(json.bytes)).toBe(true);

    const protobuf = await api.send("GET", MAPS, { headers: { accept: "application/vnd.kubernetes.protobuf" } });
    const codec = new Codec();
    const schema = loadRegistry(kindDescriptors).schemaOfKind("", "v1", "ConfigMapList")!;
    const { apiVersion, kind, raw } = codec.decodeEnvelope(protobuf.bytes);
    const decoded = codec.decodeProtobuf(schema, raw, { apiVersion, kind });
    expect(JSON.parse(codec.encodeJson(schema, decoded.object))).toEqual(listed);
    expect(codec.encodeEnvelope(apiVersion, kind, schema, decoded.object).equals(protobuf.bytes)).toBe(true);

    const { admin, port, serverCaPem: ca } = api;
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca, cert: admin.certPem, key: admin.keyPem });
    const stream = session.request({ ":path": MAPS });
    let text = "";
    for await (const chunk of stream.setEncoding("utf8")) text += chunk as string;
    session.close();
    expect(text).toBe(json.text);

    const names: string[] = [];
    let token = "";
    do {
      const page = (await api.send("GET", `${MAPS}?limit=400&continue=${token}`)).json() as unknown as Listed;
      names.push(...page.items.map((item) => item.metadata.name));
      token = page.metadata.continue ?? "";
    } while (token !== "");
    expect(names).toEqual(listed.items.map((item) => item.metadata.name));
  });

  test("labels and names select; the answer says nothing of the rest", async () => {
    const front = (await api.send("GET", `${MAPS}?labelSelector=tier%3Dfront`)).json() as unknown as Listed;
    expect(front.items).toHaveLength(COUNT / 2);
    const one = (await api.send("GET", `${MAPS}?fieldSelector=metadata.name%3Dm-7`)).json() as unknown as Listed;
    expect(one.items.map((item) => item.metadata.name)).toEqual(["m-7"]);
    const everywhere = (
      await api.send("GET", "/api/v1/configmaps?fieldSelector=metadata.name%3Dm-7")
    ).json() as unknown as Listed;
    expect(everywhere.items).toHaveLength(1);
  });

  test("tables, metadata only, YAML and pretty JSON by what the client accepts", async () => {
    await api.client.create(pods, {
      metadata: { name: "p", namespace: "default" },
      spec: { containers: [{ name: "c", image: "i" }] },
    });
    const target = "/api/v1/namespaces/default/pods";
    const table = (
      await api.send("GET", target, { headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } })
    ).json();
    expect(table).toMatchObject({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      rows: [{ object: { kind: "PartialObjectMetadata" } }],
    });
    const metadata = await api.send("GET", `${target}/p`, {
      headers: { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" },
    });
    expect(metadata.json()).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "p" } });
    expect(metadata.json()["spec"]).toBeUndefined();
    const yaml = await api.send("GET", `${target}/p`, { headers: { accept: "application/yaml" } });
    expect(yaml.text).toMatch(/^kind: Pod\napiVersion: v1\n/);
    const pretty = await api.send("GET", `${target}/p?pretty=true`);
    expect(pretty.text).toMatch(/^\{\n {2}"kind": "Pod",\n/);
    expect(pretty.json()).toEqual((await api.send("GET", `${target}/p`)).json());
  });
});
