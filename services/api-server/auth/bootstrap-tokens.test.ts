import { expect, test } from "vitest";
import { formatTime } from "../../../lib/core/clock.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import type { CachedReads } from "../admission/cached-reads.ts";
import { BootstrapTokens } from "./bootstrap-tokens.ts";

const clock = new VirtualClock();
const good = {
  "token-id": "abcdef",
  "token-secret": "0123456789abcdef",
  expiration: formatTime(clock.nowMs() + 60_000),
  "usage-bootstrap-authentication": "true",
};

async function asked(token: string, data: Record<string, string>, more: object = {}) {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  const secret = { type: "bootstrap.kubernetes.io/token", data: Object.fromEntries(encoded), ...more };
  const reads = {
    find: async (...key: string[]) =>
      key.join("/") === "secrets/kube-system/bootstrap-token-abcdef" ? secret : undefined,
  } as unknown as CachedReads;
  return (await new BootstrapTokens({ reads, clock }).authenticate(token))?.groups;
}

const TOKEN = "abcdef.0123456789abcdef";

test("a good token names its holder, with the groups that it gives", async () => {
  expect(await asked(TOKEN, good)).toEqual(["system:bootstrappers", "system:authenticated"]);
  const extra = { ...good, "auth-extra-groups": "system:bootstrappers:a:b" };
  expect(await asked(TOKEN, extra)).toEqual([
    "system:bootstrappers",
    "system:bootstrappers:a:b",
    "system:authenticated",
  ]);
});

test.each<[string, string, Record<string, string>, object?]>([
  ["a wrong secret", "abcdef.0123456789abcdee", good],
  ["another id", "abcdeg.0123456789abcdef", good],
  ["a part of it", "abcdef.0123456789abcde", good],
  ["upper case", TOKEN.toUpperCase(), good],
  ["an expired one", TOKEN, { ...good, expiration: formatTime(clock.nowMs() - 1_000) }],
  ["one whose time cannot be read", TOKEN, { ...good, expiration: "tomorrow" }],
  ["one that is not for this", TOKEN, { ...good, "usage-bootstrap-authentication": "false" }],
  ["one whose id is another", TOKEN, { ...good, "token-id": "abcdeg" }],
  ["one without a secret", TOKEN, { ...good, "token-secret": "" }],
  ["another type of Secret", TOKEN, good, { type: "Opaque" }],
  ["one that is being deleted", TOKEN, good, { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }],
  ["a group that it may not give", TOKEN, { ...good, "auth-extra-groups": "system:masters" }],
])("%s is nobody's", async (_, token, data, more) => {
  expect(await asked(token, data, more)).toBeUndefined();
});
