import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ApiClient } from "../../lib/client/api-client.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import type { TokenRequest } from "../../lib/gen/k8s/authentication/v1.ts";
import type { Pod, Volume } from "../../lib/gen/k8s/core/v1.ts";
import type { ConfigSource } from "../pods/config-source.ts";
import { HostVolumes } from "./host-volumes.ts";
import type { Mounter } from "./mounter.ts";
import { TokenCache } from "./token-cache.ts";
import { VolumeError } from "./volumes.ts";

let rootDir: string;
let clock: VirtualClock;
let mounts: string[];
let requests: TokenRequest[];
let isApiAway: boolean;
let volumes: HostVolumes;

const config: ConfigSource = {
  configMap: async (_namespace, name) => (name === "conf" ? { data: { a: "1", b: "2" } } : undefined),
  secret: async (_namespace, name) =>
    name === "sec" ? { data: { k: Buffer.from("x").toString("base64") } } : undefined,
};

beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), "keelson-volumes-"));
  clock = new VirtualClock();
  mounts = [];
  requests = [];
  isApiAway = false;
  const mounter: Mounter = {
    tmpfs: async (path) => void mounts.push(path),
    bind: async (_source, path) => void mounts.push(path),
    async unmount(path) {
      mounts = mounts.filter((each) => each !== path);
    },
    mounted: async (prefix) => mounts.filter((path) => path.startsWith(prefix)),
  };
  const api = {
    async createSubresource(_ref: unknown, _key: unknown, _name: string, request: TokenRequest) {
      if (isApiAway) throw new Error("away");
      requests.push(request);
      return { ...request, status: { token: `token-${requests.length}`, expirationTimestamp: "" } };
    },
  } as unknown as ApiClient;
  const tokens = new TokenCache({ api, clock });
  const sources = () => ({ config, tokens, allocatable: {}, hostIp: "192.0.2.1", podIps: [] });
  volumes = new HostVolumes({ mounter, random: new SeededRandom(1), tokens, sources }, { rootDir });
});
afterEach(() => rmSync(rootDir, { recursive: true }));

const podOf = (...list: Volume[]): Pod => ({
  metadata: { name: "p", namespace: "ns", uid: "uid-1", labels: { a: "b" } },
  spec: { serviceAccountName: "robot", volumes: list },
});
const token: Volume = {
  name: "t",
  projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 1_000, audience: "vault" } }] },
};

describe("a pod's volumes", () => {
  test("secrets and tokens are in memory, others on disk; all go with the pod", async () => {
    const list: Volume[] = [
      { name: "e", emptyDir: {} },
      { name: "m", emptyDir: { medium: "Memory" } },
      { name: "c", configMap: { name: "conf" } },
      { name: "s", secret: { secretName: "sec" } },
      token,
    ];
    const paths = await volumes.mount(podOf(...list));
    expect(mounts.map((path) => path.split("/").at(-1)).sort()).toEqual(["m", "s", "t"]);
    expect(readFileSync(join(paths.get("c")!, "a"), "utf8")).toBe("1");
    expect(statSync(paths.get("e")!).mode & 0o777).toBe(0o777);
    expect(await volumes.list()).toEqual(["uid-1"]);
    await volumes.unmount("uid-1");
    expect([mounts, await volumes.list()]).toEqual([[], []]);
    await volumes.unmount("uid-1");
  });

  test("mounting again mounts nothing twice", async () => {
    await volumes.mount(podOf(token));
    await volumes.mount(podOf(token));
    expect([mounts.length, requests.length]).toEqual([1, 1]);
  });

  test("a token is for its audience, bound to its pod, and new at 80 % of its life", async () => {
    const paths = await volumes.mount(podOf(token));
    expect(requests[0]?.spec).toMatchObject({
      audiences: ["vault"],
      expirationSeconds: 1_000,
      boundObjectRef: { kind: "Pod", name: "p", uid: "uid-1" },
    });
    const read = () => readFileSync(join(paths.get("t")!, "token"), "utf8");
    await clock.advance(799_000);
    await volumes.mount(podOf(token));
    expect(read()).toBe("token-1");
    await clock.advance(1_000);
    isApiAway = true;
    await volumes.mount(podOf(token));
    expect(read()).toBe("token-1");
    isApiAway = false;
    await volumes.mount(podOf(token));
    expect(read()).toBe("token-2");
  });

  test.each<[string, Volume, string]>([
    ["a missing ConfigMap", { name: "v", configMap: { name: "none" } }, 'configmap "none" not found'],
    [
      "a missing key",
      { name: "v", configMap: { name: "conf", items: [{ key: "z", path: "z" }] } },
      "non-existent config key: z",
    ],
    ["a missing Secret", { name: "v", secret: { secretName: "none" } }, 'secret "none" not found'],
    [
      "a path that climbs",
      { name: "v", configMap: { name: "conf", items: [{ key: "a", path: "../x" }] } },
      "leaves its volume",
    ],
    [
      "a kind that this node does not know",
      { name: "v", nfs: { server: "s", path: "/" } },
      "no volume plugin matched: nfs",
    ],
    [
      "a host path of another kind",
      { name: "v", hostPath: { path: "/etc/passwd", type: "Directory" } },
      "is not a Directory",
    ],
    ["a host path that climbs", { name: "v", hostPath: { path: "/var/../etc" } }, "must not contain"],
  ])("%s is told", async (_what, volume, message) => {
    const failure = await volumes.mount(podOf(volume)).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(VolumeError);
    expect((failure as VolumeError).message).toMatch(/^MountVolume.SetUp failed for volume "v" : /);
    expect((failure as VolumeError).message).toContain(message);
  });

  test("what may be missing leaves an empty folder; a host path is made where asked", async () => {
    const made = join(rootDir, "made", "here");
    const paths = await volumes.mount(
      podOf(
        { name: "o", configMap: { name: "none", optional: true } },
        { name: "h", hostPath: { path: made, type: "DirectoryOrCreate" } },
      ),
    );
    expect(existsSync(paths.get("o")!)).toBe(true);
    expect([paths.get("h"), existsSync(made)]).toEqual([made, true]);
    await volumes.unmount("uid-1");
    expect(existsSync(made)).toBe(true);
  });
});
