import { describe, expect, test } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { applyDefaults } from "../defaulting/apply-defaults.ts";
import type { ResourceDefinition } from "../kind.ts";
import { loadRegistry } from "../registry.ts";
import { validateCreate, validateUpdate } from "./validate.ts";

const registry = loadRegistry(kindDescriptors);

function definitionOf(kind: string): ResourceDefinition {
  const found = registry.resources().find((one) => one.kind === kind && one.group !== "events.k8s.io");
  if (found === undefined) throw new Error(`no kind ${kind}`);
  return found;
}

interface Sent {
  readonly metadata?: object;
  readonly [member: string]: unknown;
}

function completed(kind: string, { metadata, ...rest }: Sent): Sent {
  const definition = definitionOf(kind);
  const object = structuredClone({
    metadata: { name: "web", ...(definition.namespaced ? { namespace: "default" } : {}), ...metadata },
    ...rest,
  });
  applyDefaults(definition.schema, object);
  return object;
}

/** `reason field: message`, with the common prefix of reasons left out. */
function created(kind: string, object: Sent): string[] {
  return validateCreate(definitionOf(kind), completed(kind, object)).map(shown);
}

function updated(kind: string, old: Sent, object: Sent, subresource = ""): string[] {
  return validateUpdate(definitionOf(kind), completed(kind, object), completed(kind, old), subresource).map(shown);
}

function shown(cause: { reason: string; message: string; field?: string }): string {
  return `${cause.reason.replace("FieldValue", "")} ${cause.field}: ${cause.message}`;
}

type Case = [name: string, kind: string, object: Sent, violations: (string | RegExp)[]];

function check(actual: readonly string[], expected: readonly (string | RegExp)[]): void {
  expect(actual).toEqual(expected.map((one) => (typeof one === "string" ? one : expect.stringMatching(one))));
}

const container = { name: "a", image: "busybox" };
const pod = (spec: object): Sent => ({ spec: { containers: [container], ...spec } });
const withContainer = (more: object): Sent => ({ spec: { containers: [{ ...container, ...more }] } });

describe("metadata of a new object", () => {
  const cases: Case[] = [
    ["fine", "ConfigMap", {}, []],
    [
      "no name",
      "ConfigMap",
      { metadata: { name: "" } },
      ["Required metadata.name: Required value: name or generateName is required"],
    ],
    [
      "upper case",
      "ConfigMap",
      { metadata: { name: "Web" } },
      [
        /^Invalid metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of .* \(e\.g\. 'example\.com', regex used/,
      ],
    ],
    [
      "too long",
      "ConfigMap",
      { metadata: { name: "a".repeat(254) } },
      [`Invalid metadata.name: Invalid value: "${"a".repeat(254)}": must be no more than 253 characters`],
    ],
    [
      "a label's form",
      "Namespace",
      { metadata: { name: "a.b" } },
      ['Invalid metadata.name: Invalid value: "a.b": must not contain dots'],
    ],
    [
      "namespace on what has none",
      "Node",
      { metadata: { namespace: "x" } },
      ["Forbidden metadata.namespace: Forbidden: not allowed on this type"],
    ],
    ["no namespace", "ConfigMap", { metadata: { namespace: "" } }, ["Required metadata.namespace: Required value"]],
    [
      "label key",
      "ConfigMap",
      { metadata: { labels: { "-x": "y" } } },
      [/^Invalid metadata.labels: Invalid value: "-x": name part must consist of/],
    ],
    [
      "label value",
      "ConfigMap",
      { metadata: { labels: { x: "a b" } } },
      [/^Invalid metadata.labels: Invalid value: "a b": a valid label must be an empty string or consist of/],
    ],
    [
      "annotation key, whose case does not matter",
      "ConfigMap",
      { metadata: { annotations: { "A.Com/X": "", "a/b/c": "" } } },
      [/^Invalid metadata.annotations: Invalid value: "a\/b\/c"/],
    ],
    [
      "annotations too large",
      "ConfigMap",
      { metadata: { annotations: { a: "x".repeat(262144) } } },
      ["TooLong metadata.annotations: Too long: may not be more than 262144 bytes"],
    ],
    [
      "finalizer",
      "ConfigMap",
      { metadata: { finalizers: ["a b"] } },
      [/^Invalid metadata.finalizers: Invalid value: "a b"/],
    ],
    [
      "finalizers that exclude each other",
      "ConfigMap",
      { metadata: { finalizers: ["orphan", "foregroundDeletion"] } },
      [/cannot be both set$/],
    ],
    [
      "owner",
      "ConfigMap",
      { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p" }] } },
      ["Required metadata.ownerReferences[0].uid: Required value: must not be empty"],
    ],
    [
      "two controllers",
      "ConfigMap",
      {
        metadata: {
          ownerReferences: [
            { apiVersion: "v1", kind: "A", name: "a", uid: "1", controller: true },
            { apiVersion: "v1", kind: "B", name: "b", uid: "2", controller: true },
          ],
        },
      },
      [/Found "true" in references for A\/a and B\/b$/],
    ],
    [
      "an event as owner",
      "ConfigMap",
      { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Event", name: "a", uid: "1" }] } },
      [/is disallowed from being an owner$/],
    ],
  ];
  test.each(cases)("%s", (_, kind, object, expected) => {
    check(created(kind, object), expected);
  });

  test("a prefix may end in a hyphen", () => {
    expect(created("ConfigMap", { metadata: { generateName: "web-", name: "web-x" } })).toEqual([]);
    check(created("ConfigMap", { metadata: { generateName: "-web", name: "web-x" } }), [
      /^Invalid metadata.generateName/,
    ]);
  });
});

describe("metadata of an update", () => {
  const old = {
    metadata: { uid: "1", creationTimestamp: "2026-01-01T00:00:00Z", generation: 3, finalizers: ["a.b/c"] },
  };
  test("identity stays; what is left out is not a change", () => {
    expect(updated("ConfigMap", old, {})).toEqual([]);
    check(updated("ConfigMap", old, { metadata: { uid: "2", name: "other" } }), [
      'Invalid metadata.name: Invalid value: "other": field is immutable',
      'Invalid metadata.uid: Invalid value: "2": field is immutable',
    ]);
  });
  test("the generation never falls", () => {
    check(updated("ConfigMap", old, { metadata: { generation: 2 } }), [
      "Invalid metadata.generation: Invalid value: 2: must not be decremented",
    ]);
  });
  test("an object that is going takes no new finalizer", () => {
    const going = { metadata: { ...old.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    check(updated("ConfigMap", going, { metadata: { finalizers: ["a.b/c", "d.e/f"] } }), [
      /found new finalizers \[\]string\{"d\.e\/f"\}$/,
    ]);
    expect(updated("ConfigMap", going, { metadata: { finalizers: [] } })).toEqual([]);
  });
});

describe("a new pod", () => {
  const cases: Case[] = [
    ["fine", "Pod", pod({}), []],
    ["no containers", "Pod", { spec: {} }, ["Required spec.containers: Required value"]],
    [
      "no name, no image",
      "Pod",
      { spec: { containers: [{}] } },
      ["Required spec.containers[0].name: Required value", "Required spec.containers[0].image: Required value"],
    ],
    [
      "a name twice, across lists",
      "Pod",
      pod({ initContainers: [container] }),
      ['Duplicate spec.initContainers[0].name: Duplicate value: "a"'],
    ],
    [
      "a bad name",
      "Pod",
      withContainer({ name: "A_b" }),
      [/^Invalid spec.containers\[0\].name: Invalid value: "A_b": a lowercase RFC 1123 label/],
    ],
    [
      "spaces round the image",
      "Pod",
      withContainer({ image: " x" }),
      ['Invalid spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace'],
    ],
    [
      "ephemeral containers",
      "Pod",
      pod({ ephemeralContainers: [{ name: "e", image: "x" }] }),
      ["Forbidden spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ],
    [
      "restart policy",
      "Pod",
      pod({ restartPolicy: "Sometimes" }),
      [
        'NotSupported spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
      ],
    ],
    [
      "pull policy",
      "Pod",
      withContainer({ imagePullPolicy: "x" }),
      [/^NotSupported spec.containers\[0\].imagePullPolicy: Unsupported value: "x": supported values:/],
    ],
    [
      "port missing",
      "Pod",
      withContainer({ ports: [{}] }),
      ["Required spec.containers[0].ports[0].containerPort: Required value"],
    ],
    [
      "port range",
      "Pod",
      withContainer({ ports: [{ containerPort: 70000 }] }),
      [
        "Invalid spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
      ],
    ],
    [
      "port names",
      "Pod",
      withContainer({ ports: [{ name: "A--", containerPort: 1 }] }),
      [
        /must contain only alpha-numeric characters/,
        /must contain at least one letter/,
        /must not contain consecutive hyphens/,
        /must not begin or end with a hyphen/,
      ],
    ],
    [
      "port name twice",
      "Pod",
      withContainer({
        ports: [
          { name: "a", containerPort: 1 },
          { name: "a", containerPort: 2 },
        ],
      }),
      ['Duplicate spec.containers[0].ports[1].name: Duplicate value: "a"'],
    ],
    [
      "host port twice",
      "Pod",
      withContainer({
        ports: [
          { containerPort: 1, hostPort: 80 },
          { containerPort: 2, hostPort: 80 },
        ],
      }),
      ['Duplicate spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
    ],
    [
      "host network",
      "Pod",
      { spec: { hostNetwork: true, containers: [{ ...container, ports: [{ containerPort: 80, hostPort: 81 }] }] } },
      [
        "Invalid spec.containers[0].ports[0].containerPort: Invalid value: 80: must match `hostPort` when `hostNetwork` is true",
      ],
    ],
    [
      "environment names",
      "Pod",
      withContainer({ env: [{ name: "" }, { name: "a=b" }] }),
      [
        "Required spec.containers[0].env[0].name: Required value",
        /must consist only of printable ASCII characters other than '='$/,
      ],
    ],
    [
      "environment from two",
      "Pod",
      withContainer({
        env: [
          {
            name: "A",
            value: "x",
            valueFrom: { fieldRef: { fieldPath: "spec.x" }, secretKeyRef: { name: "s", key: "k" } },
          },
        ],
      }),
      [
        /may not have more than one field specified at a time$/,
        /may not be specified when `value` is not empty$/,
        /^NotSupported .*fieldPath: Unsupported value: "spec\.x"/,
      ],
    ],
    [
      "a label of the pod",
      "Pod",
      withContainer({ env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels['x']" } } }] }),
      [],
    ],
    [
      "mounts",
      "Pod",
      withContainer({ volumeMounts: [{ name: "v" }, { name: "", mountPath: "/x" }] }),
      [
        'NotFound spec.containers[0].volumeMounts[0].name: Not found: "v"',
        "Required spec.containers[0].volumeMounts[0].mountPath: Required value",
        "Required spec.containers[0].volumeMounts[1].name: Required value",
        'NotFound spec.containers[0].volumeMounts[1].name: Not found: ""',
      ],
    ],
    [
      "a place twice",
      "Pod",
      {
        spec: {
          volumes: [{ name: "v" }],
          containers: [
            {
              ...container,
              volumeMounts: [
                { name: "v", mountPath: "/x" },
                { name: "v", mountPath: "/x", subPath: "../y" },
              ],
            },
          ],
        },
      },
      [/mountPath: Invalid value: "\/x": must be unique$/, /subPath: Invalid value: "..\/y": must not contain '..'$/],
    ],
    [
      "request over limit",
      "Pod",
      withContainer({ resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }),
      [
        'Invalid spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
      ],
    ],
    [
      "negative amount",
      "Pod",
      withContainer({ resources: { limits: { memory: "-1" } } }),
      [/limits\[memory\]: Invalid value: "-1": must be greater than or equal to 0$/, /requests\[memory\]/],
    ],
    [
      "a resource without domain",
      "Pod",
      withContainer({ resources: { limits: { gpu: "1" } } }),
      [/limits\[gpu\]: Invalid value: "gpu": must be a standard resource for containers$/, /requests\[gpu\]/],
    ],
    [
      "an extended resource needs a limit",
      "Pod",
      withContainer({ resources: { requests: { "a.b/gpu": "1" } } }),
      [
        "Required spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
      ],
    ],
    [
      "probe without action",
      "Pod",
      withContainer({ livenessProbe: {} }),
      ["Required spec.containers[0].livenessProbe: Required value: must specify a handler type"],
    ],
    [
      "probe with two",
      "Pod",
      withContainer({ readinessProbe: { exec: { command: ["x"] }, tcpSocket: { port: 1 } } }),
      ["Forbidden spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
    ],
    [
      "liveness succeeds once",
      "Pod",
      withContainer({ livenessProbe: { exec: { command: ["x"] }, successThreshold: 2 } }),
      ["Invalid spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ],
    [
      "probe port",
      "Pod",
      withContainer({ readinessProbe: { httpGet: { port: 0 } } }),
      [/httpGet\.port: Invalid value: 0: must be between 1 and 65535, inclusive$/],
    ],
    [
      "probe of an init container",
      "Pod",
      pod({ initContainers: [{ name: "i", image: "x", readinessProbe: { tcpSocket: { port: 1 } } }] }),
      [
        "Forbidden spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
      ],
    ],
    [
      "a side-car has probes",
      "Pod",
      pod({
        initContainers: [
          { name: "i", image: "x", restartPolicy: "Always", readinessProbe: { tcpSocket: { port: 1 } } },
        ],
      }),
      [],
    ],
    [
      "volumes",
      "Pod",
      pod({ volumes: [{ name: "" }, { name: "v" }, { name: "v", secret: {} }] }),
      [
        "Required spec.volumes[0].name: Required value",
        'Duplicate spec.volumes[2].name: Duplicate value: "v"',
        "Required spec.volumes[2].secret.secretName: Required value",
      ],
    ],
    [
      "two sources",
      "Pod",
      pod({ volumes: [{ name: "v", emptyDir: {}, hostPath: { path: "/x" } }] }),
      ["Forbidden spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ],
    [
      "a path that leads out",
      "Pod",
      pod({ volumes: [{ name: "v", configMap: { name: "c", items: [{ key: "k", path: "../x" }] } }] }),
      [/items\[0\]\.path: Invalid value: "..\/x": must not contain '..'$/],
    ],
    [
      "a mode",
      "Pod",
      pod({ volumes: [{ name: "v", secret: { secretName: "s", defaultMode: 512 } }] }),
      [/defaultMode: Invalid value: 512: must be a number between 0 and 0777 \(octal\), both inclusive$/],
    ],
    [
      "a short token",
      "Pod",
      pod({
        volumes: [
          { name: "v", projected: { sources: [{ serviceAccountToken: { path: "t", expirationSeconds: 60 } }] } },
        ],
      }),
      [/may not specify a duration less than 10 minutes$/],
    ],
    [
      "tolerations",
      "Pod",
      pod({
        tolerations: [
          { operator: "Equal" },
          { key: "a", operator: "Exists", value: "b" },
          { key: "a", effect: "NoSchedule", tolerationSeconds: 1 },
        ],
      }),
      [
        /operator must be Exists when `key` is empty/,
        /value must be empty when `operator` is 'Exists'$/,
        /effect must be 'NoExecute' when `tolerationSeconds` is set$/,
      ],
    ],
    [
      "node selector",
      "Pod",
      pod({ nodeSelector: { "a b": "c" } }),
      [/^Invalid spec.nodeSelector: Invalid value: "a b"/],
    ],
    [
      "node affinity",
      "Pod",
      pod({
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In" }] }],
            },
            preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, preference: {} }],
          },
        },
      }),
      [
        /nodeSelectorTerms\[0\]\.matchExpressions\[0\]\.values: Required value: must be specified when `operator` is 'In' or 'NotIn'$/,
        /weight: Invalid value: 0: must be in the range 1-100$/,
      ],
    ],
    [
      "pod affinity",
      "Pod",
      pod({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{}] } } }),
      [/topologyKey: Required value: can not be empty$/],
    ],
    [
      "spread",
      "Pod",
      pod({ topologySpreadConstraints: [{ maxSkew: 0, topologyKey: "a", whenUnsatisfiable: "DoNotSchedule" }] }),
      ["Invalid spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"],
    ],
    [
      "deadline",
      "Pod",
      pod({ activeDeadlineSeconds: 0 }),
      ["Invalid spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
    ],
    [
      "DNS of one's own",
      "Pod",
      pod({ dnsPolicy: "None" }),
      ["Required spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
    ],
    [
      "names",
      "Pod",
      pod({ hostname: "A", serviceAccountName: "B" }),
      [/^Invalid spec.serviceAccountName/, /^Invalid spec.hostname/],
    ],
    [
      "privileges",
      "Pod",
      withContainer({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
      [/cannot set `allowPrivilegeEscalation` to false and `privileged` to true$/],
    ],
    [
      "users",
      "Pod",
      pod({ securityContext: { runAsUser: -1 } }),
      ["Invalid spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ],
  ];
  test.each(cases)("%s", (_, kind, object, expected) => {
    check(created(kind, object), expected);
  });
});

describe("an update of a pod", () => {
  type Update = [name: string, old: object, now: object, violations: (string | RegExp)[]];
  const cases: Update[] = [
    ["nothing", {}, {}, []],
    ["image", {}, { containers: [{ name: "a", image: "other", imagePullPolicy: "Always" }] }, []],
    [
      "no image",
      {},
      { containers: [{ name: "a", imagePullPolicy: "Always" }] },
      ["Required spec.containers[0].image: Required value"],
    ],
    [
      "one more toleration",
      { tolerations: [{ key: "a", operator: "Exists" }] },
      {
        tolerations: [
          { key: "a", operator: "Exists" },
          { key: "b", operator: "Exists" },
        ],
      },
      [],
    ],
    [
      "one toleration less",
      { tolerations: [{ key: "a", operator: "Exists" }] },
      {},
      ["Forbidden spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
    ],
    ["a deadline", {}, { activeDeadlineSeconds: 5 }, []],
    [
      "a later deadline",
      { activeDeadlineSeconds: 5 },
      { activeDeadlineSeconds: 6 },
      ["Invalid spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"],
    ],
    [
      "no deadline",
      { activeDeadlineSeconds: 5 },
      {},
      ["Invalid spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"],
    ],
    ["a negative grace period", { terminationGracePeriodSeconds: -1 }, { terminationGracePeriodSeconds: 1 }, []],
    [
      "another container",
      {},
      { containers: [container, { name: "b", image: "x" }] },
      [
        "Forbidden spec.containers: Forbidden: pod updates may not add or remove containers",
        /^Forbidden spec: Forbidden: pod updates may not change fields other than /,
      ],
    ],
    ["a gate falls", { schedulingGates: [{ name: "g" }] }, {}, []],
    [
      "a gate comes",
      {},
      { schedulingGates: [{ name: "g" }] },
      ["Forbidden spec.schedulingGates[0]: Forbidden: only deletion is allowed, but found new scheduling gate 'g'"],
    ],
    [
      "a selector while gated",
      { schedulingGates: [{ name: "g" }] },
      { schedulingGates: [{ name: "g" }], nodeSelector: { a: "b" } },
      [],
    ],
    [
      "a selector",
      {},
      { nodeSelector: { a: "b" } },
      [
        /`spec\.terminationGracePeriodSeconds` \(allow it to be set to 1 if it was previously negative\)\n {2}spec\.nodeSelector\n$/,
      ],
    ],
    [
      "another node",
      { nodeName: "m" },
      { nodeName: "n" },
      [/^Forbidden spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`,/],
    ],
  ];
  test.each(cases)("%s", (_, old, now, expected) => {
    check(updated("Pod", pod(old), pod(now)), expected);
  });
});

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
