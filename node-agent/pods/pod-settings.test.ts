import { describe, expect, test } from "vitest";
import type { Pod, PodSpec } from "../../lib/gen/k8s/core/v1.ts";
import { dnsConfigOf } from "./dns-config.ts";
import { registryOf } from "./pull-credentials.ts";
import { resourceLimitsOf } from "./resource-limits.ts";
import { hostnameOf, sandboxSpecOf } from "./sandbox-spec.ts";
import { securityOf } from "./security-spec.ts";

const podOf = (spec: PodSpec, qosClass = "Burstable"): Pod => ({
  metadata: { name: "p", namespace: "ns", uid: "u" },
  spec,
  status: { qosClass },
});

describe("resources to the kernel", () => {
  const GIB = 2 ** 30;
  test.each([
    ["nothing asked", {}, "BestEffort", [2, 0, 0, 0, 1_000]],
    [
      "a limit is a request too",
      { limits: { cpu: "500m", memory: "1Gi" } },
      "Guaranteed",
      [512, 50_000, 100_000, GIB, -997],
    ],
    ["a small quota", { limits: { cpu: "1m" } }, "Burstable", [2, 1_000, 100_000, 0, 999]],
    ["a share of memory", { requests: { cpu: "2", memory: "4Gi" } }, "Burstable", [2_048, 0, 0, 0, 500]],
    ["more than all", { requests: { memory: "100Gi" } }, "Burstable", [2, 0, 0, 0, 3]],
  ])("%s", (_what, resources, qosClass, expected) => {
    const limits = resourceLimitsOf(podOf({}, qosClass), { name: "c", resources }, 8 * GIB);
    const { cpuShares, cpuQuotaUs, cpuPeriodUs, memoryLimitBytes, oomScoreAdj } = limits;
    expect([cpuShares, cpuQuotaUs, cpuPeriodUs, memoryLimitBytes, oomScoreAdj]).toEqual(expected);
  });
});

describe("names", () => {
  const host = "search lan\nnameserver 192.0.2.53\nnameserver 192.0.2.54\noptions ndots:2 edns0\n";
  const settings = { clusterServers: ["10.96.0.10"], clusterDomain: "cluster.local", resolvConf: host };
  const own = ["ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "lan"];
  test.each<[string, PodSpec, { servers: string[]; searches: string[]; options: string[] }]>([
    ["ClusterFirst", { dnsPolicy: "ClusterFirst" }, { servers: ["10.96.0.10"], searches: own, options: ["ndots:5"] }],
    [
      "Default",
      { dnsPolicy: "Default" },
      { servers: ["192.0.2.53", "192.0.2.54"], searches: ["lan"], options: ["ndots:2", "edns0"] },
    ],
    [
      "ClusterFirst on the host's network",
      { dnsPolicy: "ClusterFirst", hostNetwork: true },
      { servers: ["192.0.2.53", "192.0.2.54"], searches: ["lan"], options: ["ndots:2", "edns0"] },
    ],
    [
      "ClusterFirstWithHostNet",
      { dnsPolicy: "ClusterFirstWithHostNet", hostNetwork: true },
      { servers: ["10.96.0.10"], searches: own, options: ["ndots:5"] },
    ],
    [
      "None with its own",
      {
        dnsPolicy: "None",
        dnsConfig: {
          nameservers: ["1.1.1.1"],
          searches: ["x"],
          options: [{ name: "ndots", value: "1" }, { name: "rotate" }],
        },
      },
      { servers: ["1.1.1.1"], searches: ["x"], options: ["ndots:1", "rotate"] },
    ],
  ])("%s", (_what, spec, expected) => {
    expect(dnsConfigOf(podOf(spec), settings)).toEqual(expected);
  });

  test("without a cluster DNS a pod has the node's", () => {
    expect(dnsConfigOf(podOf({}), { ...settings, clusterServers: [] }).servers).toEqual(["192.0.2.53", "192.0.2.54"]);
  });

  test("a host name is at most 63 characters and does not end in a dash", () => {
    expect(hostnameOf({ metadata: { name: `${"a".repeat(62)}-b` } })).toBe("a".repeat(62));
    expect(hostnameOf({ metadata: { name: "p" }, spec: { hostname: "own" } })).toBe("own");
  });

  test.each([
    ["busybox", "docker.io"],
    ["library/busybox:1", "docker.io"],
    ["localhost/x", "localhost"],
    ["ghcr.io/a/b@sha256:1", "ghcr.io"],
    ["host:5000/a", "host:5000"],
  ])("the registry of %s is %s", (image, registry) => {
    expect(registryOf(image)).toBe(registry);
  });
});

describe("security", () => {
  const image = (user: { uid: number } | { name: string } | undefined) => ({
    id: "i",
    tags: [],
    digests: [],
    sizeBytes: 1,
    user,
  });

  test("a container's own words come before the pod's", () => {
    const pod = podOf({ securityContext: { runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4] } });
    const own = securityOf(pod, { name: "c", securityContext: { runAsUser: 10, privileged: true } }, undefined);
    expect(own).toMatchObject({ runAsUser: 10, runAsGroup: 2, supplementalGroups: [4, 3], privileged: true });
  });

  test.each([
    ["root by uid", { uid: 0 }, {}, "image will run as root"],
    ["root by default", undefined, {}, "image will run as root"],
    ["a name that proves nothing", { name: "app" }, {}, "non-numeric user (app)"],
    ["asked to be root", { uid: 5 }, { runAsUser: 0 }, "breaks non-root policy"],
  ])("runAsNonRoot refuses %s", (_what, user, context, message) => {
    const container = { name: "c", securityContext: { runAsNonRoot: true, ...context } };
    expect(() => securityOf(podOf({}), container, image(user))).toThrow(message);
  });

  test("a local seccomp profile must be named (CVE-2023-2431)", () => {
    const container = { name: "c", securityContext: { seccompProfile: { type: "Localhost", localhostProfile: "" } } };
    expect(() => securityOf(podOf({}), container, undefined)).toThrow("must be named");
  });

  test("the host's network takes no port mappings and no host name of the pod's", () => {
    const settings = {
      podLogsDir: "/l",
      nodeName: "n1",
      cgroupParent: "",
      dns: { clusterServers: [], clusterDomain: "", resolvConf: "" },
    };
    const containers = [{ name: "c", ports: [{ containerPort: 80, hostPort: 8080 }] }];
    expect(sandboxSpecOf(podOf({ containers }), 0, settings).portMappings).toHaveLength(1);
    const onHost = sandboxSpecOf(podOf({ containers, hostNetwork: true }), 0, settings);
    expect([onHost.portMappings.length, onHost.hostname, onHost.network]).toEqual([0, "n1", "node"]);
  });
});
