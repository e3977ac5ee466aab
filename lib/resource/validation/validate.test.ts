import { describe, expect, test } from "vitest";
import { type Case, check, created, type Sent, updated } from "./validation-check.suite.ts";

const container = { name: "a", image: "busybox" };
const pod = (spec: object): Sent => ({ spec: { containers: [container], ...spec } });

describe("other kinds", () => {
  const template = { metadata: { labels: { app: "web" } }, spec: { containers: [container] } };
  const selector = { matchLabels: { app: "web" } };
  const cases: Case[] = [
    [
      "config keys",
      "ConfigMap",
      { data: { "a/b": "" } },
      [/^Invalid data\[a\/b\]: Invalid value: "a\/b": a valid config key must consist of/],
    ],
    [
      "a key twice",
      "ConfigMap",
      { data: { a: "" }, binaryData: { a: "" } },
      ['Invalid data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    ],
    [
      "large data",
      "ConfigMap",
      { data: { a: "x".repeat(1024 * 1024 + 1) } },
      ["TooLong : Too long: may not be more than 1048576 bytes"],
    ],
    [
      "large secret",
      "Secret",
      { data: { a: "AAAA".repeat(350_000) } },
      ["TooLong data: Too long: may not be more than 1048576 bytes"],
    ],
    [
      "a TLS secret",
      "Secret",
      { type: "kubernetes.io/tls", data: { "tls.crt": "" } },
      ["Required data[tls.key]: Required value"],
    ],
    [
      "docker configuration",
      "Secret",
      { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "e30" } },
      [],
    ],
    [
      "no docker configuration",
      "Secret",
      { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "eA==" } },
      [/^Invalid data\[\.dockerconfigjson\]: Invalid value: "<secret contents redacted>"/],
    ],
    ["a service without ports", "Service", { spec: {} }, ["Required spec.ports: Required value"]],
    ["a headless service needs none", "Service", { spec: { clusterIP: "None" } }, []],
    [
      "ports need names",
      "Service",
      { spec: { ports: [{ port: 80, name: "a" }, { port: 81 }] } },
      ["Required spec.ports[1].name: Required value"],
    ],
    [
      "ports",
      "Service",
      { spec: { ports: [{ port: 0, targetPort: "A", nodePort: 30000 }] } },
      [
        /port: Invalid value: 0: must be between 1 and 65535/,
        /targetPort: Invalid value: "A": must contain only/,
        /targetPort: Invalid value: "A": must contain at least/,
        "Forbidden spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
      ],
    ],
    [
      "service type",
      "Service",
      { spec: { type: "Magic", ports: [{ port: 80 }] } },
      [/^NotSupported spec.type: Unsupported value: "Magic": supported values:/],
    ],
    ["an external name", "Service", { spec: { type: "ExternalName" } }, ["Required spec.externalName: Required value"]],
    [
      "an address",
      "Service",
      { spec: { ports: [{ port: 80 }], externalIPs: ["x"] } },
      [/^Invalid spec.externalIPs\[0\]: Invalid value: "x": must be a valid IP address/],
    ],
    [
      "namespace finalizer",
      "Namespace",
      { spec: { finalizers: ["mine"] } },
      [/name is neither a standard finalizer name nor is it fully qualified$/],
    ],
    [
      "taints",
      "Node",
      { spec: { taints: [{ key: "a", effect: "NoSchedule" }, { key: "a", effect: "NoSchedule" }, { key: "b" }] } },
      [/^Duplicate spec.taints\[1\]/, "Required spec.taints[2].effect: Required value"],
    ],
    [
      "a binding",
      "Binding",
      { target: { kind: "Pod" } },
      [
        'NotSupported target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"',
        "Required target.name: Required value",
      ],
    ],
    ["a deployment", "Deployment", { spec: { selector, template } }, []],
    [
      "selector and labels",
      "Deployment",
      { spec: { selector: { matchLabels: { app: "x" } }, template } },
      [
        'Invalid spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    [
      "an empty selector",
      "ReplicaSet",
      { spec: { selector: {}, template } },
      ["Invalid spec.selector: Invalid value: {}: empty selector is invalid for replica set"],
    ],
    ["no selector", "StatefulSet", { spec: { template } }, ["Required spec.selector: Required value"]],
    [
      "template restart policy",
      "DaemonSet",
      { spec: { selector, template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } } } },
      ['NotSupported spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      "template container",
      "Deployment",
      { spec: { selector, template: { ...template, spec: { containers: [{ name: "a" }] } } } },
      ["Required spec.template.spec.containers[0].image: Required value"],
    ],
    [
      "negative replicas",
      "Deployment",
      { spec: { replicas: -1, selector, template } },
      ["Invalid spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ],
    [
      "no room to roll",
      "Deployment",
      { spec: { selector, template, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
      ["Invalid spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
    ],
    [
      "recreate takes no parameters",
      "Deployment",
      { spec: { selector, template, strategy: { type: "Recreate", rollingUpdate: {} } } },
      ["Forbidden spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      "percent",
      "Deployment",
      { spec: { selector, template, strategy: { rollingUpdate: { maxSurge: "many" } } } },
      [/a valid percent string must be a numeric string followed by an ending '%'/],
    ],
    [
      "selector operator",
      "Deployment",
      { spec: { selector: { matchExpressions: [{ key: "a", operator: "Like" }] }, template } },
      ['Invalid spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator'],
    ],
    [
      "a controller's selector",
      "ReplicationController",
      { spec: { template: { spec: { containers: [container] } } } },
      ["Required spec.selector: Required value"],
    ],
    [
      "a claim",
      "PersistentVolumeClaim",
      { spec: {} },
      ["Required spec.accessModes: Required value", "Required spec.resources[storage]: Required value"],
    ],
    [
      "a volume",
      "PersistentVolume",
      { spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } } },
      ["Required spec: Required value: must specify a volume type"],
    ],
    [
      "a volume of two sources",
      "PersistentVolume",
      {
        spec: {
          accessModes: ["ReadWriteOnce"],
          capacity: { storage: "1Gi" },
          hostPath: { path: "/x" },
          nfs: { server: "s", path: "/" },
        },
      },
      [/^Forbidden spec\.(nfs|hostPath): Forbidden: may not specify more than 1 volume type$/],
    ],
    [
      "an endpoint on the machine itself",
      "Endpoints",
      { subsets: [{ addresses: [{ ip: "127.0.0.1" }, { ip: "x" }], ports: [{ port: 0 }] }] },
      [/ranges$/, /must be a valid IP address/, /must be between 1 and 65535/],
    ],
    [
      "a budget of both",
      "PodDisruptionBudget",
      { spec: { minAvailable: 1, maxUnavailable: 1 } },
      [/minAvailable and maxUnavailable cannot be both set$/],
    ],
    [
      "a lease",
      "Lease",
      { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } },
      [
        "Invalid spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        "Invalid spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
      ],
    ],
    [
      "an event elsewhere",
      "Event",
      { involvedObject: { namespace: "other" } },
      ['Invalid involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
    ["an event of a node", "Event", { involvedObject: { kind: "Node", name: "n" } }, []],
    [
      "a system priority",
      "PriorityClass",
      { metadata: { name: "system-mine" }, value: 5 },
      [/^Forbidden metadata.name: Forbidden: priority class names with 'system-' prefix are reserved/],
    ],
    [
      "a priority too high",
      "PriorityClass",
      { value: 2_000_000_000 },
      ["Forbidden value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    ],
  ];
  test.each(cases)("%s", (_, kind, object, expected) => {
    check(created(kind, object), expected);
  });

  type Update = [name: string, kind: string, old: Sent, now: Sent, violations: (string | RegExp)[]];
  const updates: Update[] = [
    [
      "a selector",
      "Deployment",
      { spec: { selector, template } },
      {
        spec: {
          selector: { matchLabels: { app: "web", b: "c" } },
          template: { ...template, metadata: { labels: { app: "web", b: "c" } } },
        },
      },
      [/^Invalid spec.selector: Invalid value: \{"matchLabels":\{"app":"web","b":"c"\}\}: field is immutable$/],
    ],
    [
      "a set's service",
      "StatefulSet",
      { spec: { serviceName: "a", selector, template } },
      { spec: { serviceName: "b", selector, template } },
      [
        /^Forbidden spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', .* and 'minReadySeconds' are forbidden$/,
      ],
    ],
    [
      "a set's size",
      "StatefulSet",
      { spec: { selector, template } },
      { spec: { replicas: 5, selector, template } },
      [],
    ],
    [
      "frozen data",
      "ConfigMap",
      { immutable: true, data: { a: "1" } },
      { immutable: true, data: { a: "2" } },
      ["Forbidden data: Forbidden: field is immutable when `immutable` is set"],
    ],
    [
      "thawing",
      "Secret",
      { immutable: true },
      {},
      ["Forbidden immutable: Forbidden: field is immutable when `immutable` is set"],
    ],
    [
      "a secret's type",
      "Secret",
      { type: "a" },
      { type: "b" },
      ['Invalid type: Invalid value: "b": field is immutable'],
    ],
    [
      "a cluster address",
      "Service",
      { spec: { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1"], ports: [{ port: 80 }] } },
      { spec: { clusterIP: "10.0.0.2", clusterIPs: ["10.0.0.2"], ports: [{ port: 80 }] } },
      [/^Invalid spec.clusterIPs\[0\]: Invalid value: \["10\.0\.0\.2"\]: may not change once set$/],
    ],
    [
      "a node's ranges",
      "Node",
      { spec: { podCIDR: "10.0.0.0/24", podCIDRs: ["10.0.0.0/24"] } },
      {},
      [/^Forbidden spec.podCIDRs/],
    ],
    [
      "a claim's size before it is bound",
      "PersistentVolumeClaim",
      { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
      { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "2Gi" } } } },
      [/^Forbidden spec: Forbidden: spec is immutable after creation except/],
    ],
    [
      "a claim's volume",
      "PersistentVolumeClaim",
      { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
      { spec: { volumeName: "v", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
      [],
    ],
    [
      "a priority",
      "PriorityClass",
      { value: 1 },
      { value: 2 },
      ["Invalid value: Invalid value: 2: field is immutable"],
    ],
  ];
  test.each(updates)("%s", (_, kind, old, now, expected) => {
    check(updated(kind, old, now), expected);
  });

  test("a subresource is not held to the rules of the whole", () => {
    expect(updated("Pod", pod({}), { spec: {}, status: { phase: "Running" } }, "status")).toEqual([]);
    check(updated("Namespace", {}, { status: { phase: "Terminating" } }, "status"), [
      /may only be 'Active' if `deletionTimestamp` is empty$/,
    ]);
  });
});
