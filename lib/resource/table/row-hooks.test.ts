import { describe, expect, test } from "vitest";
import { computedRow } from "./row-hooks.ts";

const nowMs = Date.UTC(2026, 0, 1, 0, 10, 0);

type Case = [name: string, group: string, kind: string, object: object, cells: object];

const containers = [
  { name: "a", image: "x:1" },
  { name: "b", image: "y" },
];
const template = {
  metadata: { labels: { app: "web" } },
  spec: { containers, nodeSelector: { disk: "ssd", arch: "arm" } },
};

const cases: Case[] = [
  [
    "a node",
    "",
    "Node",
    {
      metadata: { labels: { "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "" } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: "Ready", status: "True" }],
        addresses: [
          { type: "Hostname", address: "h" },
          { type: "InternalIP", address: "10.0.0.2" },
        ],
        nodeInfo: { osImage: "Debian", containerRuntimeVersion: "containerd://1.6" },
      },
    },
    {
      Status: "Ready,SchedulingDisabled",
      Roles: "control-plane,worker",
      "Internal-IP": "10.0.0.2",
      "External-IP": "<none>",
      "OS-Image": "Debian",
      "Kernel-Version": "<unknown>",
      "Container-Runtime": "containerd://1.6",
    },
  ],
  ["a new node", "", "Node", {}, { Status: "Unknown", Roles: "<none>" }],
  ["a config map", "", "ConfigMap", { data: { a: "1" }, binaryData: { b: "AA==", c: "" } }, { Data: 3 }],
  ["a secret", "", "Secret", {}, { Data: 0 }],
  [
    "a service",
    "",
    "Service",
    {
      spec: {
        type: "ClusterIP",
        clusterIP: "10.96.0.1",
        clusterIPs: ["10.96.0.1"],
        ports: [
          { port: 443, protocol: "TCP" },
          { port: 53, nodePort: 30053, protocol: "UDP" },
        ],
        selector: { b: "2", a: "1" },
      },
    },
    { "Cluster-IP": "10.96.0.1", "External-IP": "<none>", "Port(s)": "443/TCP,53:30053/UDP", Selector: "a=1,b=2" },
  ],
  [
    "a pending balancer",
    "",
    "Service",
    { spec: { type: "LoadBalancer" } },
    { "External-IP": "<pending>", "Port(s)": "<none>" },
  ],
  [
    "a balancer",
    "",
    "Service",
    {
      spec: { type: "LoadBalancer", externalIPs: ["9.9.9.9"] },
      status: { loadBalancer: { ingress: [{ ip: "1.1.1.1" }] } },
    },
    { "External-IP": "1.1.1.1,9.9.9.9" },
  ],
  [
    "an external name",
    "",
    "Service",
    { spec: { type: "ExternalName", externalName: "a.b" } },
    { "External-IP": "a.b", "Cluster-IP": "<none>" },
  ],
  [
    "endpoints",
    "",
    "Endpoints",
    { subsets: [{ addresses: [{ ip: "1.1.1.1" }, { ip: "::1" }], ports: [{ port: 80 }, { port: 81 }] }] },
    { Endpoints: "1.1.1.1:80,[::1]:80,1.1.1.1:81 + 1 more..." },
  ],
  ["no endpoints", "", "Endpoints", {}, { Endpoints: "<none>" }],
  [
    "an event",
    "",
    "Event",
    {
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:09:55Z",
      count: 4,
      message: " hello\n",
      involvedObject: { kind: "Pod", name: "web", fieldPath: "spec.containers{a}" },
      source: { component: "kubelet", host: "n1" },
    },
    {
      "Last Seen": "5s",
      "First Seen": "10m",
      Count: 4,
      Message: "hello",
      Object: "pod/web",
      Subobject: "spec.containers{a}",
      Source: "kubelet, n1",
    },
  ],
  [
    "an event of a series",
    "events.k8s.io",
    "Event",
    {
      eventTime: "2026-01-01T00:08:00.000000Z",
      note: "hi",
      series: { count: 7, lastObservedTime: "2026-01-01T00:09:59.000000Z" },
      regarding: { kind: "Node", name: "n1" },
      reportingController: "scheduler",
    },
    { "Last Seen": "1s", "First Seen": "2m", Count: 7, Message: "hi", Object: "node/n1", Source: "scheduler" },
  ],
  [
    "a single event",
    "",
    "Event",
    { eventTime: "2026-01-01T00:08:00.000000Z" },
    { "Last Seen": "2m", Count: 1, Source: "" },
  ],
  [
    "a deployment",
    "apps",
    "Deployment",
    {
      spec: { replicas: 3, selector: { matchLabels: { app: "web" } }, template },
      status: { readyReplicas: 2 },
    },
    { Ready: "2/3", Containers: "a,b", Images: "x:1,y", Selector: "app=web" },
  ],
  ["a stateful set", "apps", "StatefulSet", { spec: { replicas: 1, template } }, { Ready: "0/1", Containers: "a,b" }],
  [
    "a replica set",
    "apps",
    "ReplicaSet",
    { spec: { selector: { matchExpressions: [{ key: "a", operator: "In", values: ["c", "b"] }] }, template } },
    { Images: "x:1,y", Selector: "a in (b,c)" },
  ],
  ["a daemon set", "apps", "DaemonSet", { spec: { template } }, { "Node Selector": "arch=arm,disk=ssd" }],
  [
    "a replication controller",
    "",
    "ReplicationController",
    { spec: { selector: { a: "1" }, template } },
    { Selector: "a=1" },
  ],
  ["a pod template", "", "PodTemplate", { template }, { Containers: "a,b", "Pod Labels": "app=web" }],
  [
    "a controller revision",
    "apps",
    "ControllerRevision",
    { metadata: { ownerReferences: [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "d", controller: true }] } },
    { Controller: "daemonset.apps/d" },
  ],
  ["an orphaned revision", "apps", "ControllerRevision", { metadata: {} }, { Controller: "<none>" }],
  [
    "a volume",
    "",
    "PersistentVolume",
    {
      spec: {
        capacity: { storage: "10Gi" },
        accessModes: ["ReadOnlyMany", "ReadWriteOnce"],
        claimRef: { namespace: "ns", name: "c" },
        storageClassName: "fast",
        volumeMode: "Filesystem",
      },
      status: { phase: "Bound" },
    },
    {
      Capacity: "10Gi",
      "Access Modes": "RWO,ROX",
      Status: "Bound",
      Claim: "ns/c",
      StorageClass: "fast",
      VolumeAttributesClass: "<unset>",
      VolumeMode: "Filesystem",
    },
  ],
  [
    "a claim that waits",
    "",
    "PersistentVolumeClaim",
    {
      metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" },
      spec: { accessModes: ["ReadWriteOnce"] },
      status: { phase: "Pending" },
    },
    { Status: "Terminating", Capacity: "", "Access Modes": "", StorageClass: "", VolumeMode: "<unset>" },
  ],
  [
    "a bound claim",
    "",
    "PersistentVolumeClaim",
    {
      spec: { volumeName: "v" },
      status: { phase: "Bound", accessModes: ["ReadWriteOncePod"], capacity: { storage: "1Gi" } },
    },
    { Status: "Bound", Capacity: "1Gi", "Access Modes": "RWOP" },
  ],
  [
    "a quota",
    "",
    "ResourceQuota",
    { status: { hard: { pods: "4", "limits.cpu": "2", cpu: "1" }, used: { pods: "1" } } },
    { Request: "cpu: 0/1, pods: 1/4", Limit: "limits.cpu: 0/2" },
  ],
  [
    "a component",
    "",
    "ComponentStatus",
    { conditions: [{ type: "Healthy", status: "True", message: "ok" }] },
    { Status: "Healthy", Message: "ok", Error: "" },
  ],
  [
    "a disruption budget",
    "policy",
    "PodDisruptionBudget",
    { spec: { minAvailable: 1 } },
    { "Min Available": "1", "Max Unavailable": "N/A" },
  ],
  [
    "a limit range",
    "",
    "LimitRange",
    { metadata: { creationTimestamp: "2026-01-01T00:00:00Z" } },
    { "Created At": "2026-01-01T00:00:00Z" },
  ],
  ["a kind without hook", "example.com", "Widget", {}, {}],
];

describe("computed cells", () => {
  test.each(cases)("%s", (_, group, kind, object, cells) => {
    expect(computedRow({ group, kind }, object, nowMs).cells).toMatchObject(cells);
  });
});
