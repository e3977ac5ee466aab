import { describe, expect, test } from "vitest";
import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { ConfigSource } from "./config-source.ts";
import { environmentOf } from "./environment.ts";
import { expand } from "./expand.ts";

const config: ConfigSource = {
  configMap: async (_namespace, name) => (name === "conf" ? { data: { a: "1", b: "2" } } : undefined),
  secret: async (_namespace, name) =>
    name === "sec" ? { data: { key: Buffer.from("välue").toString("base64") } } : undefined,
};
const sources = {
  config,
  serviceEnvironment: { KUBERNETES_SERVICE_HOST: "10.0.0.1" },
  allocatable: { cpu: "4", memory: "8Gi" },
  hostIp: "192.0.2.1",
  podIps: ["10.1.0.2", "fd00::2"],
};
const pod: Pod = {
  metadata: { name: "p", namespace: "ns", uid: "u", labels: { app: "x" }, annotations: { "a/b": "c" } },
  spec: {
    nodeName: "n1",
    serviceAccountName: "sa",
    containers: [{ name: "c", resources: { limits: { cpu: "1500m" }, requests: { memory: "1Gi" } } }],
  },
};

async function env(container: Partial<Container>): Promise<Record<string, string>> {
  const { KUBERNETES_SERVICE_HOST: _host, ...rest } = Object.fromEntries(
    await environmentOf(pod, { name: "c", resources: pod.spec!.containers![0]!.resources!, ...container }, sources),
  );
  return rest;
}

describe("$(VAR)", () => {
  const known: Record<string, string> = { A: "a", EMPTY: "" };
  test.each([
    ["$(A)", "a"],
    ["x$(A)y$(A)", "xaya"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$a"],
    ["$(NONE)", "$(NONE)"],
    ["$(EMPTY)", ""],
    ["$A $( $()", "$A $( $()"],
    ["$", "$"],
    ["$(A", "$(A"],
  ])("%s", (text, expected) => {
    expect(expand(text, (name) => known[name])).toBe(expected);
  });
});

describe("a container's environment", () => {
  test("later values see earlier ones, and replace them in place", async () => {
    const list = [
      { name: "A", value: "$(B)" },
      { name: "B", value: "b" },
      { name: "C", value: "$(B)$(A)$(KUBERNETES_SERVICE_HOST)" },
      { name: "A", value: "again" },
    ];
    expect(await env({ env: list })).toEqual({ A: "again", B: "b", C: "b$(B)10.0.0.1" });
  });

  test.each([
    ["metadata.name", "p"],
    ["metadata.namespace", "ns"],
    ["metadata.uid", "u"],
    ["metadata.labels['app']", "x"],
    ["metadata.annotations['a/b']", "c"],
    ["metadata.labels['none']", ""],
    ["spec.nodeName", "n1"],
    ["spec.serviceAccountName", "sa"],
    ["status.hostIP", "192.0.2.1"],
    ["status.podIP", "10.1.0.2"],
    ["status.podIPs", "10.1.0.2,fd00::2"],
  ])("the field %s", async (fieldPath, expected) => {
    expect(await env({ env: [{ name: "X", valueFrom: { fieldRef: { fieldPath } } }] })).toEqual({ X: expected });
  });

  test.each([
    ["limits.cpu", undefined, "2"],
    ["limits.cpu", "1m", "1500"],
    ["requests.memory", "1Mi", "1024"],
    ["limits.memory", "1Gi", "8"],
    ["requests.cpu", undefined, "0"],
  ])("the resource %s in %s", async (resource, divisor, expected) => {
    const resourceFieldRef = divisor === undefined ? { resource } : { resource, divisor };
    expect(await env({ env: [{ name: "X", valueFrom: { resourceFieldRef } }] })).toEqual({ X: expected });
  });

  test("whole maps with a prefix, before single values", async () => {
    const envFrom = [{ prefix: "P_", configMapRef: { name: "conf" } }, { secretRef: { name: "sec" } }];
    expect(await env({ envFrom, env: [{ name: "key", value: "own" }] })).toEqual({ P_a: "1", P_b: "2", key: "own" });
  });

  test.each([
    [{ configMapKeyRef: { name: "none", key: "a" } }, 'configmap "none" not found'],
    [{ configMapKeyRef: { name: "conf", key: "z" } }, "couldn't find key z in ConfigMap ns/conf"],
    [{ secretKeyRef: { name: "none", key: "a" } }, 'secret "none" not found'],
    [{ secretKeyRef: { name: "sec", key: "z" } }, "couldn't find key z in Secret ns/sec"],
  ])("what is missing is told, unless it may be: %j", async (valueFrom, message) => {
    await expect(env({ env: [{ name: "X", valueFrom }] })).rejects.toThrow(message);
    const [[kind, reference]] = Object.entries(valueFrom) as [[string, object]];
    expect(await env({ env: [{ name: "X", valueFrom: { [kind]: { ...reference, optional: true } } }] })).toEqual({});
  });
});
