import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kubectlFolder } from "../../cli/kubectl.ts";
import { type CommandResult, runCommand } from "../kit/kubectl.ts";
import { type ApiFixture, startApi } from "./api-fixture.ts";

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
  await api.kubectl.ok(["create", "serviceaccount", "default"]);
});

afterAll(async () => {
  await api.stop();
});

async function helm(...args: string[]): Promise<CommandResult> {
  const home = path.join(api.folder, "helm");
  return await runCommand([`${await kubectlFolder()}/helm`, ...args], {
    env: {
      KUBECONFIG: path.join(api.folder, "kubeconfig"),
      HELM_CACHE_HOME: home,
      HELM_CONFIG_HOME: home,
      HELM_DATA_HOME: home,
    },
  });
}

const TEMPLATE = `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {greeting: {{ .Values.greeting | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: main, image: busybox}]}
`;

test("helm as it is installs, upgrades, lists and uninstalls a chart", async () => {
  const chart = path.join(api.folder, "chart");
  mkdirSync(path.join(chart, "templates"), { recursive: true });
  writeFileSync(path.join(chart, "Chart.yaml"), "apiVersion: v2\nname: demo\nversion: 0.1.0\n");
  writeFileSync(path.join(chart, "values.yaml"), "greeting: hello\nreplicas: 1\n");
  writeFileSync(path.join(chart, "templates", "all.yaml"), TEMPLATE);

  const installed = await helm("install", "rel", chart);
  expect(installed).toMatchObject({ code: 0 });
  expect(installed.stdout).toContain("STATUS: deployed");
  expect(await api.kubectl.ok(["get", "cm", "rel-config", "-o", "jsonpath={.data.greeting}"])).toBe("hello");

  const upgraded = await helm("upgrade", "rel", chart, "--set", "greeting=again,replicas=3");
  expect(upgraded).toMatchObject({ code: 0 });
  expect(await api.kubectl.ok(["get", "cm", "rel-config", "-o", "jsonpath={.data.greeting}"])).toBe("again");
  expect(await api.kubectl.ok(["get", "deploy", "rel", "-o", "jsonpath={.spec.replicas}"])).toBe("3");
  const listed = JSON.parse((await helm("list", "-o", "json")).stdout) as { name: string; revision: string }[];
  expect(listed).toMatchObject([{ name: "rel", revision: "2", status: "deployed" }]);

  expect((await helm("uninstall", "rel")).stdout).toContain('release "rel" uninstalled');
  expect(await api.kubectl.ok(["get", "cm,deploy,secret", "-o", "name"])).not.toContain("rel");
});
