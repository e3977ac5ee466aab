import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { readImageArchive } from "./image-archive.ts";
import { memorySource, type TarMember, writeTar } from "./tar-archive.ts";

const text = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const digest = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const file = (path: string, content: Uint8Array): TarMember => ({ path, mode: 0o644, content });
const blob = (content: Uint8Array): TarMember => file(`blobs/${digest(content).replace(":", "/")}`, content);
const described = (content: Uint8Array, mediaType = "t") => ({
  mediaType,
  digest: digest(content),
  size: content.length,
});
const read = (members: TarMember[]) => readImageArchive(memorySource(writeTar(members)), "amd64");

const layer = writeTar([{ path: "hello", mode: 0o644, content: text("hi") }]);
const config = text({ rootfs: { type: "layers", diff_ids: [digest(layer)] } });
const manifest = text({ schemaVersion: 2, config: described(config), layers: [described(layer, "layer")] });

test("a docker-archive gets a manifest, the same each time", async () => {
  const members = [
    file("c.json", config),
    file("abc/layer.tar", layer),
    file(
      "manifest.json",
      text([{ Config: "c.json", RepoTags: ["app:1", "localhost/app:2"], Layers: ["abc/layer.tar"] }]),
    ),
  ];
  const [image] = await read(members);
  expect(image!.names).toEqual(["docker.io/library/app:1", "localhost/app:2"]);
  expect(image!.layers[0]!.digest).toBe(digest(layer));
  expect(image!.diffIds).toEqual([digest(layer)]);
  expect(image!.config.digest).toBe(digest(config));
  const [again] = await read(members);
  expect(again!.manifest.digest).toBe(image!.manifest.digest);
  const bytes = await image!.manifest.read(0, image!.manifest.sizeBytes);
  expect(digest(bytes)).toBe(image!.manifest.digest);
});

test("a layer that is a link to another is found", async () => {
  const [image] = await read([
    file("c.json", text({ rootfs: { diff_ids: [digest(layer), digest(layer)] } })),
    file("a/layer.tar", layer),
    { path: "b/layer.tar", mode: 0o777, linkTo: "../a/layer.tar" },
    file("manifest.json", text([{ Config: "c.json", RepoTags: null, Layers: ["a/layer.tar", "b/layer.tar"] }])),
  ]);
  expect(image!.layers.map((each) => each.digest)).toEqual([digest(layer), digest(layer)]);
  expect(image!.names).toEqual([]);
});

test("of an index of platforms the machine's is taken", async () => {
  const other = text({ schemaVersion: 2, config: described(config), layers: [described(layer)], for: "arm64" });
  const nested = text({
    manifests: [
      { ...described(other), platform: { os: "linux", architecture: "arm64" } },
      { ...described(text("attestation")), platform: { os: "unknown", architecture: "unknown" } },
      { ...described(manifest), platform: { os: "linux", architecture: "amd64" } },
    ],
  });
  const indexType = "application/vnd.oci.image.index.v1+json";
  const annotations = { "io.containerd.image.name": "localhost/x:1" };
  const [image] = await read([
    file("index.json", text({ manifests: [{ ...described(nested, indexType), annotations }] })),
    ...[nested, manifest, other, config, layer].map(blob),
  ]);
  expect(image!.manifest.digest).toBe(digest(manifest));
  expect(image!.names).toEqual(["localhost/x:1"]);
});

test.each<[string, TarMember[], string]>([
  ["an empty archive", [], "neither index.json nor manifest.json"],
  ["no JSON", [file("index.json", text("{"))], "index.json is not JSON"],
  [
    "a manifest that is missing",
    [file("index.json", text({ manifests: [described(manifest)] }))],
    "lacks blobs/sha256",
  ],
  [
    "a digest that leads elsewhere",
    [file("index.json", text({ manifests: [{ digest: "sha256:../../x", size: 1 }] }))],
    "not a sha256 digest",
  ],
  [
    "a size that is not the blob's",
    [
      file("index.json", text({ manifests: [described(manifest)] })),
      blob(manifest),
      blob(config),
      file(`blobs/${digest(layer).replace(":", "/")}`, text("short")),
    ],
    "another size",
  ],
  [
    "a name that is none",
    [
      file("c.json", config),
      file("l", layer),
      file("manifest.json", text([{ Config: "c.json", RepoTags: ["a b"], Layers: ["l"] }])),
    ],
    "which is no name",
  ],
  [
    "only another platform",
    [
      file(
        "index.json",
        text({ manifests: [{ ...described(manifest), platform: { os: "linux", architecture: "s390x" } }] }),
      ),
    ],
    "no image for linux/amd64",
  ],
])("%s is refused", async (_, members, message) => {
  await expect(read(members)).rejects.toThrow(message);
});
