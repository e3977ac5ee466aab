import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "./command.ts";
import { convertCommand } from "./convert.ts";

const POD_JSON = '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":null},"status":{}}';
const MANIFEST = `# two objects
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  hostNetwork: yes
  containers:
  - name: main
    image: "1.0"
    ports:
    - containerPort: 8080
---
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  "9": nine
  "10": "yes"
  octal: "0o17"
  exponent: "1e3"
  day: "2020-01-01"
  lines: |
    one
    two
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "convert-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

async function run(args: readonly string[], stdin: Uint8Array | string = ""): Promise<Result> {
  const out: Buffer[] = [];
  let err = "";
  const status = await convertCommand.run(args, {
    stdin: Readable.from([Buffer.from(stdin)]),
    out: (text) => void out.push(Buffer.from(text)),
    err: (text) => {
      err += text;
    },
    env: {},
  });
  return { status, out: Buffer.concat(out), err };
}

interface Result {
  readonly status: number;
  readonly out: Buffer;
  readonly err: string;
}

function file(name: string, content: Uint8Array | string): string {
  const full = path.join(folder, name);
  writeFileSync(full, content);
  return full;
}

describe("keelson convert", () => {
  test("a manifest of several YAML documents goes to protobuf and back", async () => {
    const stored = await run(["--to=protobuf", "-"], MANIFEST);
    expect(stored).toMatchObject({ status: 0, err: "" });
    expect(stored.out.subarray(0, 4)).toEqual(Buffer.from("k8s\0"));
    const yaml = await run(["--to=yaml", "-"], stored.out);
    expect(yaml.out.toString()).toContain("hostNetwork: true");
    expect((await run(["--from=yaml", "--to=protobuf", "-"], yaml.out)).out).toEqual(stored.out);
    const json = await run(["--from=protobuf", "--to=json", "-"], stored.out);
    expect((await run(["--to=protobuf", "-"], json.out)).out).toEqual(stored.out);
  });

  test("JSON is printed in upstream's order, indented, with the digits that it had", async () => {
    const json = `{"apiVersion":"v1","kind":"Pod","metadata":{"generation":9007199254740993,"name":"a"},"spec":{}}`;
    const { out } = await run(["--to=json", "-"], json);
    const lines = out.toString().split("\n");
    expect(lines.slice(0, 6)).toEqual([
      "{",
      '  "kind": "Pod",',
      '  "apiVersion": "v1",',
      '  "metadata": {',
      '    "name": "a",',
      '    "generation": 9007199254740993',
    ]);
    expect(out.toString().endsWith('  "status": {}\n}\n')).toBe(true);
  });

  test("numbers beyond 2^53 reach YAML and come back", async () => {
    const json = `{"apiVersion":"v1","kind":"Pod","metadata":{"generation":9007199254740993}}`;
    const yaml = await run(["--to=yaml", "-"], json);
    expect(yaml.out.toString()).toContain("generation: 9007199254740993");
    const { out } = await run(["--to=json", "-"], yaml.out);
    expect(out.toString()).toContain('"generation": 9007199254740993');
  });

  test("with --out-dir each file keeps its base name", async () => {
    const first = file("pod.v1.json", POD_JSON);
    const second = file("manifest", MANIFEST);
    const outDir = path.join(folder, "made/here");
    expect(await run(["--to=protobuf", `--out-dir=${outDir}`, first, second])).toMatchObject({ status: 0, err: "" });
    expect(readFileSync(path.join(outDir, "pod.v1.pb")).subarray(0, 4)).toEqual(Buffer.from("k8s\0"));
    const back = path.join(folder, "back");
    await run(["--to=json", `--out-dir=${back}`, path.join(outDir, "pod.v1.pb"), path.join(outDir, "manifest.pb")]);
    expect(readFileSync(path.join(back, "pod.v1.json"), "utf8").replace(/\s/g, "")).toBe(POD_JSON);
    expect(readFileSync(path.join(back, "manifest.json"), "utf8")).toContain('"name": "settings"');
  });

  test("a file that fails is named, the others are converted, the status is 1", async () => {
    const good = file("good.json", POD_JSON);
    const bad = file("bad.json", '{"kind":"Pod","apiVersion":"v1","spec":{"hostNetwork":"no"}}');
    const cut = file("cut.pb", Buffer.concat([Buffer.from("k8s\0"), Buffer.from([0x0a, 0x7f])]));
    const unknown = file("unknown.yaml", "apiVersion: example.com/v1\nkind: Thing\n");
    const missing = path.join(folder, "missing.json");
    const { status, out, err } = await run(["--to=json", bad, cut, good, unknown, missing]);
    expect(status).toBe(1);
    expect(out.toString().replace(/\s/g, "")).toBe(POD_JSON);
    expect(err.trimEnd().split("\n")).toEqual([
      `keelson: ${bad}: spec.hostNetwork: cannot unmarshal string into a field of type bool`,
      `keelson: ${cut}: protobuf is truncated`,
      `keelson: ${unknown}: no kind "Thing" is known in version "example.com/v1"`,
      expect.stringContaining(`keelson: ${missing}: ENOENT`),
    ]);
  });

  test("what is left out is said", async () => {
    const { status, err } = await run(
      ["--to=json", "-"],
      "apiVersion: v1\nkind: Pod\nspec: {colour: red}\nmetadata: {name: a, name: b}\n",
    );
    expect(status).toBe(0);
    expect(err).toBe(
      'keelson: -: warning: unknown field "spec.colour" is left out\n' +
        'keelson: -: warning: of duplicate field "metadata.name" the last one is kept\n',
    );
  });

  test("nothing is overwritten unasked", async () => {
    const here = file("pod.json", POD_JSON);
    const other = path.join(folder, "pod.yaml");
    writeFileSync(other, MANIFEST);
    const same = await run(["--to=json", `--out-dir=${folder}`, here]);
    expect(same).toMatchObject({ status: 1, err: `keelson: ${here}: ${here} would be overwritten\n` });
    const twice = await run(["--to=protobuf", `--out-dir=${folder}`, here, other]);
    expect(twice.status).toBe(1);
    expect(twice.err).toContain("pod.pb would be overwritten");
  });

  test.each([
    [["-"], "--to must be one of json, yaml, protobuf"],
    [["--to=xml", "-"], '--to must be one of json, yaml, protobuf, not "xml"'],
    [["--to=json"], "needs FILE"],
  ])("bad flags %j", async (args, message) => {
    await expect(run(args)).rejects.toThrow(new UsageError(message));
  });
});
