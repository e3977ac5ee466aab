import { expect, test } from "vitest";
import type { KeyChange } from "./object-history.ts";
import { PODS, PodLedger } from "./pod-ledger.ts";

interface State {
  readonly uid?: string;
  readonly nodeName?: string;
  readonly phase?: string;
  readonly restartCount?: number;
  readonly deletionTimestamp?: string;
}

function bytes({ uid = "u", nodeName, phase, restartCount = 0, deletionTimestamp }: State): Uint8Array {
  const metadata = { name: "p", namespace: "default", uid, deletionTimestamp };
  const containerStatuses = [{ name: "c", restartCount }];
  const spec = { restartPolicy: "Always", nodeName };
  const object = { apiVersion: "v1", kind: "Pod", metadata, spec, status: { phase, containerStatuses } };
  return Buffer.from(JSON.stringify(object));
}

function changed(states: readonly State[]): PodLedger {
  const ledger = new PodLedger(new Map());
  const change = (state: State, index: number): KeyChange => {
    return { revision: index + 1, key: `${PODS}p`, type: index === 0 ? "ADDED" : "MODIFIED", value: bytes(state) };
  };
  ledger.apply(states.map(change));
  return ledger;
}

const DELETED = "2026-01-01T00:00:00Z";
const RUNNING = { nodeName: "n1", phase: "Running" };

test("a life of a pod as it should be", () => {
  const ledger = changed([{}, { nodeName: "n1" }, RUNNING, { ...RUNNING, deletionTimestamp: DELETED }]);
  expect(ledger).toMatchObject({ violations: [], bound: 1, mostAlive: 1, alive: 0 });
});

test.each<[string, readonly State[]]>([
  ["40: moved from n1 to n2", [{ nodeName: "n1" }, { nodeName: "n2" }]],
  ["40: moved from n1 to undefined", [{ nodeName: "n1" }, {}]],
  ["40: Running on no node", [{}, { phase: "Running" }]],
  ["44: Pending again", [RUNNING, { nodeName: "n1", phase: "Pending" }]],
  ["43: fewer restarts than before", [{ ...RUNNING, restartCount: 1 }, RUNNING]],
  ["21: deleted no more", [{ deletionTimestamp: DELETED }, {}]],
  ["21: replaced without a deletion", [{ uid: "a" }, { uid: "b" }]],
])("invariant %s", (violation, states) => {
  expect(changed(states).violations).toEqual([expect.stringContaining(violation)]);
});
