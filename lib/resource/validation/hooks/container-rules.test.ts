import { describe, test } from "vitest";
import { type Case, check, created, type Sent } from "../validation-check.suite.ts";

const container = { name: "a", image: "busybox" };
const pod = (spec: object): Sent => ({ spec: { containers: [container], ...spec } });
const withContainer = (more: object): Sent => ({ spec: { containers: [{ ...container, ...more }] } });

describe("containers of a new pod", () => {
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
  ];
  test.each(cases)("%s", (_, kind, object, expected) => {
    check(created(kind, object), expected);
  });
});
