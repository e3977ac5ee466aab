import { expect, test } from "vitest";
import { qosClassOf } from "./qos-class.ts";

const both = { cpu: "1", memory: "1Gi" };

test.each([
  ["BestEffort", [{}]],
  ["BestEffort", [{ resources: { requests: { "example.com/gpu": "1" } } }]],
  ["Burstable", [{ resources: { requests: { cpu: "1" } } }]],
  ["Burstable", [{ resources: { limits: both } }, {}]],
  ["Burstable", [{ resources: { limits: both, requests: { cpu: "500m", memory: "1Gi" } } }]],
  ["Guaranteed", [{ resources: { limits: both } }]],
  ["Guaranteed", [{ resources: { limits: both, requests: both } }, { resources: { limits: both, requests: both } }]],
  ["BestEffort", [{ resources: { limits: { cpu: "0" } } }]],
])("%s: %j", (expected, containers) => {
  expect(qosClassOf({ spec: { containers } })).toBe(expected);
});
