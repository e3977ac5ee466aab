import { expect } from "vitest";
import { parse } from "yaml";
import { kindDescriptors } from "../../lib/gen/k8s/descriptors.ts";
import { Codec } from "../../lib/resource/codec/codec.ts";
import { loadRegistry } from "../../lib/resource/registry.ts";
import type { ApiFixture, HttpAnswer } from "../api/api-fixture.ts";
import { INTERNAL } from "./expect-refused.ts";

/** fast-check prints it with the failing case; set the variable to repeat a run. */
export const FUZZ_SEED = Number(process.env["KEELSON_FUZZ_SEED"] ?? Date.now() % 2 ** 31);

/** A refusal must be a whole Status with a code of the client's fault; what is taken must be an answer of the API. */
function checkAnswer(answer: HttpAnswer, what: string): void {
  expect(answer.status, `${what}: ${answer.text}`).toBeGreaterThanOrEqual(200);
  expect(answer.status, `${what}: ${answer.text}`).toBeLessThan(500);
  if (answer.status < 400) return;
  expect(answer.text, what).not.toMatch(INTERNAL);
  expect(statusOf(answer), what).toMatchObject({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    code: answer.status,
    message: expect.stringMatching(/\S/),
    reason: expect.stringMatching(/^[A-Z][A-Za-z]+$/),
  });
}

const statusSchema = loadRegistry(kindDescriptors).schemaOfKind("", "v1", "Status")!;
const codec = new Codec();

function statusOf(answer: HttpAnswer): Record<string, unknown> {
  const type = answer.headers["content-type"];
  if (type === "application/json") return answer.json();
  if (type === "application/yaml") return parse(answer.text) as Record<string, unknown>;
  expect(type).toBe("application/vnd.kubernetes.protobuf");
  const { apiVersion, kind, raw } = codec.decodeEnvelope(answer.bytes);
  const { object } = codec.decodeProtobuf(statusSchema, raw, { apiVersion, kind });
  return JSON.parse(codec.encodeJson(statusSchema, object)) as Record<string, unknown>;
}

export async function checkReady(api: ApiFixture): Promise<void> {
  const ready = await api.send("GET", "/readyz");
  expect(ready.status).toBe(200);
  expect(ready.text).toBe("ok");
}

/** Sends, checks the answer, and checks that a refused write moved nothing. */
export async function checkedSend(api: ApiFixture, send: () => Promise<HttpAnswer>, what: string): Promise<HttpAnswer> {
  const before = (await api.store.status()).revision;
  const answer = await send();
  checkAnswer(answer, what);
  if (answer.status >= 400)
    expect((await api.store.status()).revision, `${what}: refused, and yet written`).toBe(before);
  return answer;
}
