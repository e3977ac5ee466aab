import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { loadRegistry } from "../registry.ts";
import { applyDefaults } from "./apply-defaults.ts";

const registry = loadRegistry(kindDescriptors);

function defaulted(apiVersion: string, kind: string, object: object): object {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const schema = registry.schemaOfKind(group ?? "", version ?? "", kind);
  if (schema === undefined) throw new Error(`no kind ${apiVersion} ${kind}`);
  const copy = structuredClone(object);
  applyDefaults(schema, copy);
  const again = structuredClone(copy);
  applyDefaults(schema, again);
  expect(again).toEqual(copy);
  return copy;
}

const container = {
  name: "a",
  image: "busybox:1.36",
  imagePullPolicy: "IfNotPresent",
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
};
const podSpec = {
  restartPolicy: "Always",
  dnsPolicy: "ClusterFirst",
  securityContext: {},
  terminationGracePeriodSeconds: 30,
  schedulerName: "default-scheduler",
};
const sent = { name: "a", image: "busybox:1.36" };

type Case = [name: string, apiVersion: string, kind: string, object: object, expected: object];

const cases: Case[] = [
  [
    "a pod",
    "v1",
    "Pod",
    { spec: { containers: [sent] } },
    { spec: { ...podSpec, enableServiceLinks: true, containers: [container] } },
  ],
  [
    "a pod that says everything itself",
    "v1",
    "Pod",
    {
      spec: {
        ...podSpec,
        enableServiceLinks: false,
        dnsPolicy: "None",
        terminationGracePeriodSeconds: 0,
        containers: [container],
      },
    },
    {
      spec: {
        ...podSpec,
        enableServiceLinks: false,
        dnsPolicy: "None",
        terminationGracePeriodSeconds: 0,
        containers: [container],
      },
    },
  ],
  [
    "probes, ports and environment",
    "v1",
    "Pod",
    {
      spec: {
        containers: [
          {
            ...container,
            ports: [{ containerPort: 80 }],
            livenessProbe: { httpGet: { port: 80 } },
            env: [{ name: "X", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
          },
        ],
      },
    },
    {
      spec: {
        containers: [
          {
            ports: [{ containerPort: 80, protocol: "TCP" }],
            livenessProbe: {
              httpGet: { port: 80, path: "/", scheme: "HTTP" },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
            env: [{ name: "X", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } }],
          },
        ],
      },
    },
  ],
  [
    "host network and requests from limits",
    "v1",
    "Pod",
    {
      spec: {
        hostNetwork: true,
        containers: [
          {
            ...container,
            ports: [{ containerPort: 80 }],
            resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } },
          },
        ],
      },
    },
    {
      spec: {
        containers: [
          {
            ports: [{ containerPort: 80, hostPort: 80, protocol: "TCP" }],
            resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m", memory: "1Gi" } },
          },
        ],
      },
    },
  ],
  [
    "pod-level requests: the containers' sum, then the pod's limits",
    "v1",
    "Pod",
    {
      spec: {
        resources: { limits: { cpu: "2", memory: "4Gi" } },
        containers: [
          { ...container, resources: { requests: { cpu: "300m" } } },
          { ...container, name: "b", resources: { requests: { cpu: "200m" } } },
        ],
        initContainers: [{ ...container, name: "i", resources: { requests: { cpu: "100m" } } }],
      },
    },
    { spec: { resources: { limits: { cpu: "2", memory: "4Gi" }, requests: { cpu: "500m", memory: "4Gi" } } } },
  ],
  [
    "amounts are kept to 1m, rounded up",
    "v1",
    "Pod",
    { spec: { containers: [{ ...container, resources: { limits: { cpu: "100u", memory: "1500u" } } }] } },
    { spec: { containers: [{ resources: { limits: { cpu: "1m", memory: "2m" } } }] } },
  ],
  [
    "volumes",
    "v1",
    "Pod",
    {
      spec: {
        containers: [container],
        volumes: [
          { name: "none" },
          { name: "secret", secret: { secretName: "s" } },
          { name: "map", configMap: { name: "c", defaultMode: 256 } },
          { name: "host", hostPath: { path: "/x" } },
          { name: "all", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } },
          { name: "image", image: { reference: "x@sha256:0123456789abcdef0123456789abcdef" } },
        ],
      },
    },
    {
      spec: {
        volumes: [
          { name: "none", emptyDir: {} },
          { name: "secret", secret: { secretName: "s", defaultMode: 420 } },
          { name: "map", configMap: { name: "c", defaultMode: 256 } },
          { name: "host", hostPath: { path: "/x", type: "" } },
          {
            name: "all",
            projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: "t", expirationSeconds: 3600 } }] },
          },
          {
            name: "image",
            image: { reference: "x@sha256:0123456789abcdef0123456789abcdef", pullPolicy: "IfNotPresent" },
          },
        ],
      },
    },
  ],
  [
    "a service",
    "v1",
    "Service",
    { spec: { ports: [{ port: 80 }] } },
    {
      spec: {
        type: "ClusterIP",
        sessionAffinity: "None",
        internalTrafficPolicy: "Cluster",
        ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
      },
    },
  ],
  [
    "a load balancer with client affinity",
    "v1",
    "Service",
    {
      spec: { type: "LoadBalancer", sessionAffinity: "ClientIP", ports: [{ port: 80, targetPort: "http" }] },
      status: { loadBalancer: { ingress: [{ ip: "1.1.1.1" }, { hostname: "x" }] } },
    },
    {
      spec: {
        externalTrafficPolicy: "Cluster",
        allocateLoadBalancerNodePorts: true,
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
        ports: [{ port: 80, protocol: "TCP", targetPort: "http" }],
      },
      status: { loadBalancer: { ingress: [{ ip: "1.1.1.1", ipMode: "VIP" }, { hostname: "x" }] } },
    },
  ],
  ["a secret", "v1", "Secret", {}, { type: "Opaque" }],
  [
    "texts of a secret",
    "v1",
    "Secret",
    { data: { a: "eA==", b: "eQ==" }, stringData: { a: "hello", c: "" } },
    { data: { a: "aGVsbG8=", b: "eQ==", c: "" } },
  ],
  [
    "a namespace",
    "v1",
    "Namespace",
    { metadata: { name: "n", labels: { a: "b" } } },
    { metadata: { name: "n", labels: { a: "b", "kubernetes.io/metadata.name": "n" } } },
  ],
  [
    "a volume",
    "v1",
    "PersistentVolume",
    { spec: {} },
    { spec: { persistentVolumeReclaimPolicy: "Retain", volumeMode: "Filesystem" }, status: { phase: "Pending" } },
  ],
  [
    "a claim",
    "v1",
    "PersistentVolumeClaim",
    { spec: {} },
    { spec: { volumeMode: "Filesystem" }, status: { phase: "Pending" } },
  ],
  [
    "a node",
    "v1",
    "Node",
    { status: { capacity: { cpu: "4" } } },
    { status: { capacity: { cpu: "4" }, allocatable: { cpu: "4" } } },
  ],
  [
    "limits of containers",
    "v1",
    "LimitRange",
    { spec: { limits: [{ type: "Container", max: { cpu: "2" }, min: { cpu: "1", memory: "1Mi" } }] } },
    { spec: { limits: [{ type: "Container", default: { cpu: "2" }, defaultRequest: { cpu: "2", memory: "1Mi" } }] } },
  ],
  [
    "a replication controller",
    "v1",
    "ReplicationController",
    { spec: { template: { metadata: { labels: { a: "b" } } } } },
    { metadata: { labels: { a: "b" } }, spec: { replicas: 1, selector: { a: "b" } } },
  ],
  [
    "a deployment",
    "apps/v1",
    "Deployment",
    { spec: { template: { spec: { containers: [sent] } } } },
    {
      spec: {
        replicas: 1,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        template: { spec: { ...podSpec, containers: [container] } },
      },
    },
  ],
  [
    "a deployment that recreates",
    "apps/v1",
    "Deployment",
    { spec: { strategy: { type: "Recreate" } } },
    { spec: { strategy: { type: "Recreate" } } },
  ],
  ["a replica set of none", "apps/v1", "ReplicaSet", { spec: { replicas: 0 } }, { spec: { replicas: 0 } }],
  [
    "a stateful set",
    "apps/v1",
    "StatefulSet",
    { spec: {} },
    {
      spec: {
        podManagementPolicy: "OrderedReady",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
        replicas: 1,
        revisionHistoryLimit: 10,
      },
    },
  ],
  [
    "a daemon set",
    "apps/v1",
    "DaemonSet",
    { spec: {} },
    {
      spec: {
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        revisionHistoryLimit: 10,
      },
    },
  ],
  ["a priority class", "scheduling.k8s.io/v1", "PriorityClass", {}, { preemptionPolicy: "PreemptLowerPriority" }],
  ["a token request", "authentication.k8s.io/v1", "TokenRequest", { spec: {} }, { spec: { expirationSeconds: 3600 } }],
  ["a lease has none", "coordination.k8s.io/v1", "Lease", { spec: {} }, { spec: {} }],
];

describe("defaults", () => {
  test.each(cases)("%s", (_, apiVersion, kind, object, expected) => {
    expect(defaulted(apiVersion, kind, object)).toMatchObject(expected);
  });

  test("a template gets no default that belongs to pods alone", () => {
    const deployment = defaulted("apps/v1", "Deployment", { spec: { template: { spec: { containers: [sent] } } } });
    expect(deployment).not.toHaveProperty("spec.template.spec.enableServiceLinks");
  });

  test("a strategy named by the client brings no parameters", () => {
    expect(
      defaulted("apps/v1", "StatefulSet", { spec: { updateStrategy: { type: "RollingUpdate" } } }),
    ).not.toHaveProperty("spec.updateStrategy.rollingUpdate");
  });

  test("the texts of a secret are not kept", () => {
    expect(defaulted("v1", "Secret", { stringData: { a: "b" } })).not.toHaveProperty("stringData");
  });

  test("affinity that is off takes its settings away", () => {
    const service = { spec: { sessionAffinity: "None", sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } } };
    expect(defaulted("v1", "Service", service)).not.toHaveProperty("spec.sessionAffinityConfig");
  });

  const policies: [image: string, policy: string][] = [
    ["web", "Always"],
    ["web:latest", "Always"],
    ["registry:5000/team/web", "Always"],
    ["registry:5000/team/web:1", "IfNotPresent"],
    ["web@sha256:0123456789abcdef0123456789abcdef", "IfNotPresent"],
    ["web:latest@sha256:0123456789abcdef0123456789abcdef", "Always"],
    ["", "IfNotPresent"],
  ];
  test.each(policies)("the pull policy of %j is %s", (image, policy) => {
    expect(
      defaulted("v1", "Pod", { spec: { containers: [{ name: "a", ...(image === "" ? {} : { image }) }] } }),
    ).toHaveProperty("spec.containers[0].imagePullPolicy", policy);
  });
});
