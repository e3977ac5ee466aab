import { describe, test } from "vitest";
import { check, type Sent, updated } from "../validation-check.suite.ts";

const main = { name: "a", image: "busybox" };
const pod = (spec: object): Sent => ({ spec: { containers: [main], ...spec } });
const debug = { name: "d", image: "busybox" };

type Case = [name: string, old: object, now: object, violations: (string | RegExp)[]];

describe("ephemeral containers", () => {
  const cases: Case[] = [
    ["one joins", {}, { ephemeralContainers: [debug] }, []],
    ["beside a container of the pod", {}, { ephemeralContainers: [{ ...debug, targetContainerName: "a" }] }, []],
    [
      "beside one that is not there",
      {},
      { ephemeralContainers: [{ ...debug, targetContainerName: "b" }] },
      [/targetContainerName: Not found: "b"$/],
    ],
    ["a name that is taken", {}, { ephemeralContainers: [{ ...debug, name: "a" }] }, [/Duplicate value: "a"$/]],
    ["no image", {}, { ephemeralContainers: [{ name: "d" }] }, [/ephemeralContainers\[0\]\.image: Required value$/]],
    [
      "with ports",
      {},
      { ephemeralContainers: [{ ...debug, ports: [{ containerPort: 1 }] }] },
      [/ports: Forbidden: cannot be set for an Ephemeral Container$/],
    ],
    [
      "one leaves",
      { ephemeralContainers: [debug] },
      {},
      ['Forbidden spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be removed'],
    ],
    [
      "one changes",
      { ephemeralContainers: [debug] },
      { ephemeralContainers: [{ ...debug, image: "x:1" }] },
      [/"d" may not be changed$/],
    ],
    [
      "something else changes",
      {},
      { nodeName: "n", ephemeralContainers: [debug] },
      [/^Forbidden spec: Forbidden: pod updates through ephemeralcontainers/],
    ],
  ];
  test.each(cases)("%s", (_, old, now, expected) => {
    check(updated("Pod", pod(old), pod(now), "ephemeralcontainers"), expected);
  });
});

describe("resize", () => {
  const sized = (resources: object, more: object = {}): object => ({ containers: [{ ...main, resources }], ...more });
  const cases: Case[] = [
    ["more cpu", sized({ requests: { cpu: "1" } }), sized({ requests: { cpu: "2" }, limits: { cpu: "2" } }), []],
    [
      "over the limit",
      sized({ limits: { cpu: "1" } }),
      sized({ requests: { cpu: "2" }, limits: { cpu: "1" } }),
      [/must be less than or equal to cpu limit of 1$/],
    ],
    [
      "another resource",
      sized({}),
      sized({ limits: { "a.b/gpu": "1" } }),
      ["Forbidden spec: Forbidden: only cpu and memory resources are mutable"],
    ],
    [
      "an image",
      sized({}),
      { containers: [{ ...main, image: "x:1" }] },
      [/only cpu and memory resources are mutable$/],
    ],
    ["a node", sized({}), sized({}, { nodeName: "n" }), [/only cpu and memory resources are mutable$/]],
  ];
  test.each(cases)("%s", (_, old, now, expected) => {
    check(updated("Pod", pod(old), pod(now), "resize"), expected);
  });
});
