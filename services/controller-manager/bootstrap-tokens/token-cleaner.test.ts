import { expect, test } from "vitest";
import { formatTime } from "../../../lib/core/clock.ts";
import { secrets } from "../../../lib/gen/k8s/resources.ts";
import { managerWorld } from "../testkit/manager-world.ts";

test("a token is deleted when its time is over, and not before", async () => {
  const { clock, api, manager } = managerWorld(["token-cleaner-controller"]);
  const make = (name: string, expiration: string) =>
    api.create(secrets, {
      metadata: { name, namespace: "kube-system" },
      type: "bootstrap.kubernetes.io/token",
      data: expiration === "" ? {} : { expiration: Buffer.from(expiration).toString("base64") },
    });
  await make("bootstrap-token-soon00", formatTime(clock.nowMs() + 60_000));
  await make("bootstrap-token-ever00", "");
  await make("bootstrap-token-odd000", "some day");
  await manager.start();
  const names = async () =>
    (await api.list(secrets, { namespace: "kube-system" })).items.map((one) => one.metadata?.name);
  await clock.advance(50_000);
  expect(await names()).toHaveLength(3);
  await clock.advance(15_000);
  expect(await names()).toEqual(["bootstrap-token-ever00", "bootstrap-token-odd000"]);
  await manager.stop();
});
