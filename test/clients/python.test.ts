import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { ClientFolder, expectScenario, PROTO } from "./scenario.ts";

/** Debian's: it is this one that has Debian's gRPC. */
const PYTHON = "/usr/bin/python3";

function whyNotPython(): string {
  const { status } = spawnSync(PYTHON, ["-c", "import grpc, google.protobuf"]);
  if (status !== 0) return "not installed: python3-grpcio";
  if (!existsSync("/usr/include/google/protobuf/descriptor.proto")) return "not installed: libprotobuf-dev";
  return whyNotPrograms(["protoc", "grpc_python_plugin"]);
}

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

describe.skipIf(skipping("Python client", whyNotPython()))("a client in Python", () => {
  test("runs the scenario with what protoc makes of proto/ as it stands", async () => {
    using folder = new ClientFolder(api);
    const files = globSync(["keelson/**/*.proto", "k8s.io/**/*.proto", "google/rpc/*.proto"], { cwd: PROTO });
    const plugin = (await folder.run("which", ["grpc_python_plugin"])).trim();
    const outputs = ["--python_out=.", "--grpc_out=.", `--plugin=protoc-gen-grpc=${plugin}`];
    await folder.run("protoc", [`--proto_path=${PROTO}`, ...outputs, ...files]);
    const client = join(import.meta.dirname, "python/client.py");
    const output = await folder.run(PYTHON, [client, `localhost:${api.api.grpcPort}`, folder.path, "python"], {
      PYTHONPATH: folder.path,
    });
    await expectScenario(api, "python", output);
  });
});
