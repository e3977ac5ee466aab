import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installPlugins, PLUGINS } from "./install-plugins.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "install it's "));
});
afterEach(() => rmSync(dir, { recursive: true }));

function install(mtu = 1400): void {
  const installation = {
    sourceDir: path.join(dir, "source"),
    binDir: path.join(dir, "bin"),
    confDir: path.join(dir, "conf"),
    reservationsDir: path.join(dir, "networks"),
    nodePath: process.execPath,
    compileCacheDir: path.join(dir, "cache"),
  };
  installPlugins(installation, { podCidr: "10.1.0.0/24", mtu });
}

test("each plugin is an executable that hands all to Node, wherever it lies", () => {
  for (const plugin of PLUGINS) {
    mkdirSync(path.join(dir, "source", plugin), { recursive: true });
    const program = `process.stdout.write([${JSON.stringify(plugin)}, process.env["NODE_COMPILE_CACHE"] !== undefined, process.env["NODE_OPTIONS"]].join(" "));`;
    writeFileSync(path.join(dir, "source", plugin, "main.ts"), program);
  }
  install();
  for (const plugin of PLUGINS) {
    const env = { NODE_OPTIONS: "--require=/nonexistent" };
    expect(execFileSync(path.join(dir, "bin", plugin), { env, encoding: "utf8" })).toBe(`${plugin} true `);
  }
});

test("the configuration is one that containerd 1.6 takes, and a second installation replaces it whole", () => {
  install();
  install(9000);
  expect(readdirSync(path.join(dir, "conf"))).toEqual(["10-keelson.conflist"]);
  expect(readdirSync(path.join(dir, "bin")).sort()).toEqual([...PLUGINS].sort());
  const config = JSON.parse(readFileSync(path.join(dir, "conf", "10-keelson.conflist"), "utf8"));
  expect(config).toMatchObject({
    cniVersion: "1.0.0",
    plugins: [{ type: "bridge", isDefaultGateway: true, mtu: 9000 }],
  });
});
