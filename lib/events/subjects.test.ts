import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeToken, Subjects, streamName, subjectMatches } from "./subjects.ts";

const subjects = new Subjects("lab.one", "4b1c");
const deployments = { group: "apps", resource: "deployments" };
const nodePods = { group: "", resource: "pods", node: "worker.1" };

test("subjects hold cluster, epoch, group, resource, namespace and name, or the node's", () => {
  expect(subjects.object(deployments, "default", "web")).toBe(
    "keelson.lab_2eone.4b1c.all.apps.deployments.default.web",
  );
  expect(subjects.object(nodePods, "default", "a.b")).toBe(
    "keelson.lab_2eone.4b1c.node.worker_2e1._.pods.default.a_2eb",
  );
  expect(subjects.object({ group: "", resource: "nodes" }, "", "n")).toBe("keelson.lab_2eone.4b1c.all._.nodes._.n");
  expect(subjects.heads()).toBe("keelson.lab_2eone.4b1c.heads");
  expect([deployments, nodePods].map(streamName)).toEqual(["apps/deployments", "pods@worker.1"]);
});

test("patterns hear their own stream, namespace and node alone", () => {
  const own = subjects.object(nodePods, "default", "a.b");
  expect(subjectMatches(subjects.node("worker.1"), own)).toBe(true);
  expect(subjectMatches(subjects.stream(nodePods), own)).toBe(true);
  expect(subjectMatches(subjects.namespace(nodePods, "default"), own)).toBe(true);
  expect(subjectMatches(subjects.namespace(nodePods, "other"), own)).toBe(false);
  expect(subjectMatches(subjects.node("worker"), own)).toBe(false);
  expect(subjectMatches(subjects.stream({ group: "", resource: "pods" }), own)).toBe(false);
  expect(subjectMatches(new Subjects("lab.one", "other").node("worker.1"), own)).toBe(false);
});

test("tokens are one token whatever the name, and two names never share one", () => {
  const names = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("", "_", "a.b", "a_2eb", "*", ">", " "));
  fc.assert(
    fc.property(names, names, (a, b) => {
      expect(encodeToken(a)).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(encodeToken(a) === encodeToken(b)).toBe(a === b);
    }),
  );
});
