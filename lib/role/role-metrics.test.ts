import { expect, test } from "vitest";
import { VirtualClock } from "../core/virtual-clock.ts";
import { FollowerCounts } from "../events/follower-counts.ts";
import { RoleMetrics } from "./role-metrics.ts";

test("what followers met on the bus is told by stream, as it is when it is asked for", async () => {
  const metrics = new RoleMetrics({ clock: new VirtualClock() });
  const counts = new FollowerCounts();
  metrics.busFollowers(new Map([["pods@n1", counts]]));
  counts.resumes = 3;
  counts.refused.forged = 2;
  for (let asked = 0; asked < 2; asked++) {
    const text = await metrics.text();
    expect(text).toContain('keelson_bus_resumes_total{stream="pods@n1"} 3');
    expect(text).toContain('keelson_bus_refused_total{stream="pods@n1",reason="forged"} 2');
    expect(text).toContain('keelson_bus_refused_total{stream="pods@n1",reason="epoch"} 0');
  }
});
