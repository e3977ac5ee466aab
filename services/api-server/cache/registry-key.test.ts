import { expect, test } from "vitest";
import { parseKey, storeKey } from "./registry-key.ts";

const namespaced = new Map([
  ["pods", true],
  ["services/specs", true],
  ["minions", false],
  ["apiregistration.k8s.io/apiservices", false],
]);

test.each([
  ["pods", "default", "web"],
  ["services/specs", "kube-system", "dns"],
  ["minions", "", "node-1"],
  ["apiregistration.k8s.io/apiservices", "", "v1.apps"],
])("%s %s %s has one key", (prefix, namespace, name) => {
  const key = storeKey(prefix, namespace, name);
  const parsed = parseKey(Buffer.from(key), (text) => namespaced.get(text));
  expect(parsed).toMatchObject({ prefix, namespace, name, storeKey: key });
});

test.each([
  "/other/pods/a/b",
  "/registry/unknown/a/b",
  "/registry/pods",
  "/registry/pods/a",
  "/registry/minions/a/b",
  "",
])("%s is nobody's", (key) => {
  expect(parseKey(Buffer.from(key), (text) => namespaced.get(text))).toBeUndefined();
});
