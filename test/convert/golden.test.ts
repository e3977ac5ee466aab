import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keelson } from "../kit/keelson.ts";
import { skipping } from "../kit/requirements.ts";

/** Fully populated objects that upstream's own types encoded; they lie beside the repository where it is developed. */
const golden = path.resolve(import.meta.dirname, "../../../shared/fixtures/golden");
const isHere = existsSync(golden);
const skip = skipping("convert", isHere ? "" : `upstream's encoded objects are not at ${golden}`);

/** Groups that nothing in proto/ describes yet. */
const LATER_GROUPS = ["batch.v1.", "discovery.k8s.io.v1."];
const names = isHere
  ? readdirSync(golden)
      .filter((file) => file.endsWith(".json"))
      .map((file) => file.slice(0, -".json".length))
      .filter((name) => !LATER_GROUPS.some((group) => name.startsWith(group)))
  : [];

const filesOf = (ending: string): string[] => names.map((name) => path.join(golden, name + ending));

/** JSON without white space between its parts; no number and no order changes. */
function withoutWhiteSpace(text: string): string {
  return text.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, (_, string: string | undefined) => string ?? "");
}

describe.skipIf(skip)("keelson convert of upstream's golden objects", () => {
  let out = "";
  beforeAll(() => {
    out = mkdtempSync(path.join(tmpdir(), "keelson-convert-"));
  });
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  test("there are some of every group that is served", () => {
    const groups = new Set(names.map((name) => name.slice(0, name.indexOf(".v1."))));
    expect([...groups].sort()).toEqual(["apps", "coordination.k8s.io", "core"]);
    expect(names.length).toBeGreaterThan(40);
  });

  test("JSON becomes protobuf to the byte", async () => {
    const folder = path.join(out, "protobuf");
    const result = await keelson(["convert", "--to=protobuf", `--out-dir=${folder}`, ...filesOf(".json")]);
    expect(result).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const different = names.filter((name) => {
      const made = readFileSync(path.join(folder, `${name}.pb`));
      return !made.equals(readFileSync(path.join(golden, `${name}.pb`)));
    });
    expect(different).toEqual([]);
  });

  test.each(["json", "yaml"])("protobuf becomes %s and that the same JSON text", async (form) => {
    const first = path.join(out, `${form}-first`);
    const result = await keelson(["convert", `--to=${form}`, `--out-dir=${first}`, ...filesOf(".pb")]);
    expect(result).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const second = path.join(out, `${form}-second`);
    const made = names.map((name) => path.join(first, `${name}.${form}`));
    const again = await keelson(["convert", "--to=json", `--out-dir=${second}`, ...made]);
    expect(again).toMatchObject({ code: 0, stdout: "", stderr: "" });
    for (const name of names) {
      const text = readFileSync(path.join(second, `${name}.json`), "utf8");
      expect(withoutWhiteSpace(text), name).toBe(
        withoutWhiteSpace(readFileSync(path.join(golden, `${name}.json`), "utf8")),
      );
    }
  });

  test("a list of objects of several kinds keeps them all", async () => {
    const list = path.join(out, "list.yaml");
    writeFileSync(list, LIST);
    const folder = path.join(out, "list");
    expect(await keelson(["convert", "--to=protobuf", `--out-dir=${folder}`, list])).toMatchObject({ code: 0 });
    const back = await keelson(["convert", "--to=json", path.join(folder, "list.pb")]);
    expect(back).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(back.stdout)).toEqual({
      kind: "List",
      apiVersion: "v1",
      metadata: {},
      items: [
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { port: "8080" } },
        { apiVersion: "widgets.example.com/v1", kind: "Widget", metadata: { name: "b" }, spec: { size: 3 } },
      ],
    });
  });
});

const LIST = `apiVersion: v1
kind: List
metadata:
  resourceVersion: ""
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: a
  data:
    port: "8080"
- apiVersion: widgets.example.com/v1
  kind: Widget
  metadata:
    name: b
  spec:
    size: 3
`;
