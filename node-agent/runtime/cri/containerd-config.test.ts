import { expect, test } from "vitest";
import { containerdToml, socketPath } from "./containerd-config.ts";

const CONFIG = {
  rootDir: "/data/root",
  stateDir: "/run/keelson/x",
  cniBinDir: "/data/cni/bin",
  cniConfDir: '/data/"cni"/conf',
  sandboxImage: "localhost/keelson/pause:1",
  snapshotter: "overlayfs",
} as const;

test("every place is the instance's own, and text is quoted", () => {
  const toml = containerdToml(CONFIG);
  for (const line of [
    "version = 2",
    'root = "/data/root"',
    'address = "/run/keelson/x/containerd.sock"',
    'address = "/run/keelson/x/containerd.sock.ttrpc"',
    'sandbox_image = "localhost/keelson/pause:1"',
    "restrict_oom_score_adj = true",
    "disable_apparmor = true",
    'bin_dir = "/data/cni/bin"',
    'conf_dir = "/data/\\"cni\\"/conf"',
    'snapshotter = "overlayfs"',
    'Root = "/run/keelson/x/runc"',
  ]) {
    expect(toml.split("\n").map((each) => each.trim())).toContain(line);
  }
});

test("a socket's path that the kernel cannot take is refused before anything is started", () => {
  expect(socketPath({ stateDir: `/${"x".repeat(84)}` })).toContain("containerd.sock");
  expect(() => socketPath({ stateDir: `/${"x".repeat(86)}` })).toThrow("choose a shorter data directory");
  expect(() => socketPath({ stateDir: `/${"ä".repeat(50)}` })).toThrow("too long for a socket");
});
