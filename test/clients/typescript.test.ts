import { cpSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiFixture, startApi } from "../api/api-fixture.ts";
import { ClientFolder, expectScenario, PROTO, ROOT } from "./scenario.ts";

const BIN = join(ROOT, "node_modules/.bin");

let api: ApiFixture;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

test("a client of what buf and ts-proto make of proto/ compiles, and runs the scenario", async () => {
  using folder = new ClientFolder(api);
  cpSync(join(import.meta.dirname, "typescript/testdata"), folder.path, { recursive: true });
  const paths = ["k8s.io", "keelson", "google/rpc"].flatMap((part) => ["--path", join(PROTO, part)]);
  const env = { PATH: [BIN, process.env["PATH"]].join(delimiter) };
  await folder.run("buf", ["generate", PROTO, "--include-imports", ...paths], env);
  await folder.run("tsc", ["-p", "."], env);
  const args = ["client.ts", `localhost:${api.api.grpcPort}`, folder.path, "typescript"];
  await expectScenario(api, "typescript", await folder.run(process.execPath, args));
});

test("@grpc/proto-loader takes proto/ as it stands, and runs the scenario", async () => {
  using folder = new ClientFolder(api);
  // A process of its own: protobufjs makes code from strings, which ours forbid.
  const client = join(import.meta.dirname, "proto-loader/client.mjs");
  const output = await folder.run(process.execPath, [
    client,
    `localhost:${api.api.grpcPort}`,
    folder.path,
    "loader",
    PROTO,
  ]);
  expect(output).not.toBe("");
  await expectScenario(api, "loader", output);
});
