import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { checkedSend, checkReady, FUZZ_SEED } from "./fuzz-checks.ts";
import { Http2Sender } from "./send-other-ways.ts";
import { WHOLE_OBJECTS } from "./whole-objects.ts";

let api: ApiFixture;
let http2: Http2Sender;

beforeAll(async () => {
  api = await startApi();
  http2 = new Http2Sender(api);
  await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
});

afterAll(async () => {
  http2.close();
  await api.stop();
});

const PATHS = Object.keys(WHOLE_OBJECTS);
const DOCUMENT = "application/json";

const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    2 ** 31,
    2 ** 40,
    1e300,
    "",
    " ",
    "0",
    "-1",
    "x",
    "X_",
    "a/b",
    "../x",
  ),
  fc.constantFrom<unknown>([], {}, [null], [[]], [{}], { "": "" }, { a: null }, { a: {} }, ["", ""], {
    $patch: "delete",
  }),
  fc.constantFrom<unknown>(
    "1e9",
    "100m",
    "1Ei",
    "999999999999999999999",
    "25%",
    "In",
    "TCP",
    "10.0.0.1",
    "::1",
    "10.0.0.0/33",
  ),
  fc.constantFrom<unknown>(
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "x".repeat(70),
    "é",
    "😀",
    "a\u0000b",
    "__proto__",
    "constructor",
  ),
  fc.string({ maxLength: 10 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Every place of an object, as the names and numbers that lead there. */
function placesOf(object: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (typeof object !== "object" || object === null) return [at];
  return [at, ...Object.entries(object).flatMap(([name, child]) => placesOf(child, [...at, name]))];
}

function withValue(object: unknown, place: readonly string[], inserted: unknown): unknown {
  const [name, ...rest] = place;
  if (name === undefined) return inserted;
  if (typeof object !== "object" || object === null) return object;
  const copy = (Array.isArray(object) ? [...object] : { ...object }) as Record<string, unknown>;
  copy[name] = withValue(copy[name], rest, inserted);
  return copy;
}

const change = fc.tuple(fc.nat(), value);

/** An object with one or two things in it that do not belong there, under a name of its own. */
function changed(object: object, changes: readonly (readonly [number, unknown])[], name: string): unknown {
  let result: unknown = withValue(object, ["metadata", "name"], name);
  for (const [at, inserted] of changes) {
    const places = placesOf(object).filter((place) => place.join(".") !== "metadata.name");
    result = withValue(result, places[at % places.length]!, inserted);
  }
  return result;
}

test("whole objects are taken as they stand", async () => {
  for (const path of PATHS) {
    const body = JSON.stringify(changed(WHOLE_OBJECTS[path]!, [], "whole"));
    const answer = await http2.send("POST", `/${path}?fieldValidation=Strict`, { body });
    expect(answer.status, `${path}: ${answer.text}`).toBe(201);
  }
});

test("objects with something wrong in them are refused whole, or stored so that every form of them can be read", async () => {
  let made = 0;
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...PATHS),
      fc.array(change, { minLength: 1, maxLength: 2 }),
      async (path, changes) => {
        const name = `o${made++}`;
        const text = JSON.stringify(changed(WHOLE_OBJECTS[path]!, changes, name));
        const answer = await checkedSend(
          api,
          () => http2.send("POST", `/${path}`, { body: text }),
          `POST ${path} ${text}`,
        );
        if (answer.status !== 201) return;
        taken++;
        const again = answer.json();
        const put = await checkedSend(
          api,
          () => http2.send("PUT", `/${path}/${name}`, { body: answer.text }),
          `PUT of what was answered: ${answer.text}`,
        );
        expect(put.status, put.text).toBe(200);
        expect(put.json()).toEqual(again);
      },
    ),
    { seed: FUZZ_SEED, numRuns: 400 },
  );
  expect(taken).toBeGreaterThan(20);
  expect(made - taken).toBeGreaterThan(20);
  await readAll();
});

test("patches with something wrong in them are refused whole, or leave what can be read", async () => {
  const types = fc.constantFrom(
    "merge-patch+json",
    "strategic-merge-patch+json",
    "json-patch+json",
    "apply-patch+yaml",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...PATHS),
      types,
      change,
      fc.boolean(),
      async (path, type, [at, inserted], status) => {
        const object = WHOLE_OBJECTS[path]!;
        const places = placesOf(object).filter((place) => place.length > 0);
        const place = places[at % places.length]!;
        const pointer = `/${place.join("/")}`;
        const operations = [
          { op: "test", path: "/metadata/name", value: "whole" },
          { op: "add", path: pointer, value: inserted },
        ];
        const patch = type === "json-patch+json" ? operations : withValue(onlyPlace(object, place), place, inserted);
        const text = JSON.stringify(patch);
        const target = `/${path}/whole${status ? "/status" : ""}?fieldManager=fuzz&force=true`;
        const options = { body: text, headers: { "content-type": `application/${type}` } };
        await checkedSend(api, () => http2.send("PATCH", target, options), `PATCH ${target} ${type} ${text}`);
      },
    ),
    { seed: FUZZ_SEED, numRuns: 400 },
  );
  await readAll();
});

/** The object with nothing but what leads to a place. */
function onlyPlace(object: unknown, place: readonly string[]): unknown {
  const [name, ...rest] = place;
  if (name === undefined || typeof object !== "object" || object === null) return object;
  const child = onlyPlace((object as Record<string, unknown>)[name], rest);
  return Array.isArray(object) ? [child] : { [name]: child };
}

/** Lists of every kind in every form: what was taken must not break who reads it. */
async function readAll(): Promise<void> {
  const forms = [
    DOCUMENT,
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;g=meta.k8s.io;v=v1",
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
  ];
  for (const path of PATHS) {
    for (const accept of forms) {
      const answer = await http2.send("GET", `/${path}`, { headers: { accept } });
      expect(answer.status, `${path} as ${accept}: ${answer.text.slice(0, 500)}`).toBe(200);
    }
  }
  const watches = PATHS.map((path) => http2.send("GET", `/${path}?watch=true&timeoutSeconds=1&resourceVersion=0`));
  for (const watch of await Promise.all(watches)) {
    expect(watch.status).toBe(200);
    for (const line of watch.text.trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ type: "ADDED" });
  }
  await checkReady(api);
}
