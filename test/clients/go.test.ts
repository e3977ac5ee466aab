import { spawnSync } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { skipping } from "../kit/requirements.ts";
import { ClientFolder, expectScenario, PROTO, ROOT } from "./scenario.ts";

const MODULE = join(import.meta.dirname, "go");
const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/go/bin"];
const offline = {
  PATH: folders.join(delimiter),
  GOFLAGS: "-mod=readonly -buildvcs=false",
  GOPROXY: "off",
  GOTOOLCHAIN: "local",
};

/** Everything that go.mod names is fetched by bin/set-up; nothing is at test time. */
function whyNotGo(): string {
  if (!folders.some((folder) => existsSync(join(folder, "go")))) return "not installed: go";
  const { status } = spawnSync("go", ["mod", "download"], { cwd: MODULE, env: { ...process.env, ...offline } });
  return status === 0 ? "" : "test/clients/go/go.mod is not downloaded (bin/set-up --test)";
}

let api: ApiFixture;
let folder: ClientFolder;
const go = (...args: string[]): Promise<string> => folder.run("go", args, offline);

beforeAll(async () => {
  api = await startApi();
  folder = new ClientFolder(api);
  cpSync(MODULE, folder.path, { recursive: true });
});

afterAll(async () => {
  folder[Symbol.dispose]();
  await api.stop();
});

describe.skipIf(skipping("Go clients", whyNotGo()))("clients in Go", () => {
  test("a client of what buf makes of proto/ runs the scenario", { timeout: 600_000 }, async () => {
    const buf = join(ROOT, "node_modules/@bufbuild/buf/bin/buf");
    const paths = ["k8s.io", "keelson"].flatMap((part) => ["--path", join(PROTO, part)]);
    await folder.run(process.execPath, [buf, "generate", PROTO, ...paths], offline);
    await go("vet", ".");
    const output = await go("run", ".", `localhost:${api.api.grpcPort}`, folder.path, "go");
    await expectScenario(api, "go", output);
  });

  test("grpcurl finds out by reflection what there is, and calls it", { timeout: 600_000 }, async () => {
    const identity = ["-cacert", "ca.crt", "-cert", "client.crt", "-key", "client.key"];
    const curl = (...args: string[]) => go("tool", "grpcurl", ...identity, ...args);
    const address = `localhost:${api.api.grpcPort}`;
    const services = (await curl(address, "list")).trim().split("\n");
    expect(services).toEqual(
      expect.arrayContaining(["keelson.api.v1.Resources", "keelson.api.core.v1.PodService", "grpc.health.v1.Health"]),
    );
    expect(await curl(address, "describe", "k8s.io.api.core.v1.Pod")).toContain(".k8s.io.api.core.v1.PodSpec spec = 2");
    expect(await curl(address, "describe", "keelson.api.core.v1.PodService")).toContain("rpc UpdateStatus (");
    const asked = JSON.stringify({ name: "default" });
    const answer = await curl("-d", asked, address, "keelson.api.core.v1.NamespaceService/Get");
    expect(JSON.parse(answer)).toMatchObject({
      object: { metadata: { name: "default" }, status: { phase: "Active" } },
    });
    const absent = curl("-d", JSON.stringify({ name: "absent" }), address, "keelson.api.core.v1.NamespaceService/Get");
    await expect(absent).rejects.toThrow(/Code: NotFound[\s\S]*"reason": "NotFound"/);
  });
});
