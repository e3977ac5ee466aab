import { describe, test } from "vitest";
import { type Case, check, created, type Sent, updated } from "../validation-check.suite.ts";

const container = { name: "a", image: "busybox" };
const pod = (spec: object): Sent => ({ spec: { containers: [container], ...spec } });
const withContainer = (more: object): Sent => ({ spec: { containers: [{ ...container, ...more }] } });

describe("a new pod", () => {
  const cases: Case[] = [
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
      "kernel settings",
      "Pod",
      pod({
        securityContext: {
          sysctls: [
            { name: "foo-", value: "1" },
            { name: "net.core.somaxconn" },
            { name: "net.core.somaxconn" },
            { name: "bar.." },
          ],
        },
      }),
      [
        /sysctls\[0\]\.name: Invalid value: "foo-": must have at most 253 characters and match regex/,
        /^Duplicate .*somaxconn/,
        /Invalid value: "bar\.\."/,
      ],
    ],
    [
      "host names",
      "Pod",
      pod({ hostAliases: [{ ip: "x", hostnames: ["A"] }] }),
      [/hostAliases\[0\]\.ip: Invalid value: "x": must be a valid IP address/, /hostnames\[0\]: Invalid value: "A"/],
    ],
    [
      "grace of a readiness probe",
      "Pod",
      withContainer({ readinessProbe: { tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 5 } }),
      [/must not be set for readinessProbes$/],
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
