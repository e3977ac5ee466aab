import { expect } from "vitest";
import { eventually } from "../kit/eventually.ts";
import type { TestCluster, TestClusterStatus } from "../kit/keelson.ts";

const HEALED_LIMIT = { timeoutMs: 90_000 };
const LED = ["api-server", "scheduler", "controller-manager"];

/** Every process is well, and of each role that elects a leader exactly one leads. */
export function healed(cluster: TestCluster): Promise<TestClusterStatus> {
  return eventually(async () => {
    const status = await cluster.status();
    expect(status.roles.filter((role) => role.health !== "ok")).toEqual([]);
    expect(status.ready).toBe(true);
    // The api-server that leads publishes events.
    for (const name of LED) expect(status.roles.filter((role) => role.name === name && role.leader)).toHaveLength(1);
    return status;
  }, HEALED_LIMIT);
}

/** Processes by what a test calls them: an instance, or `leading ROLE`, or `other ROLE`. */
export function instanceOf(status: TestClusterStatus, who: string): string {
  const [which, role] = who.split(" ");
  if (role === undefined) return who;
  const found = status.roles.find(({ name, leader }) => name === role && leader === (which === "leading"));
  if (found === undefined) throw new Error(`no ${who}`);
  return found.instance;
}

export function pidOf(status: TestClusterStatus, instance: string): number {
  const pid = status.roles.find((role) => role.instance === instance)?.pid;
  if (pid === undefined || pid === null) throw new Error(`${instance} does not run`);
  return pid;
}
