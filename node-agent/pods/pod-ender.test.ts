import { expect, test } from "vitest";
import { pods } from "../../lib/gen/k8s/resources.ts";
import { SimulatedNode } from "../testkit/simulated-node.ts";
import { noVolumes } from "../volumes/volumes.ts";

test("invariant 44: a volume that cannot be unmounted keeps the object, with its last status, until it can", async () => {
  let isBusy = true;
  const unmount = async () => {
    if (isBusy) throw new Error("target is busy");
  };
  const node = new SimulatedNode({ volumes: { ...noVolumes, unmount } });
  await node.start();
  await node.createPod("web");
  await node.until("web", (pod) => pod.status?.phase === "Running");
  await node.api.delete(pods, { namespace: "default", name: "web" });
  await node.clock.advance(60_000);
  const pod = await node.getPod("web");
  expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ reason: "Completed" });
  expect((await node.containers()).map((each) => each.state)).toEqual(["exited"]);
  isBusy = false;
  await node.clock.advance(15_000);
  await expect(node.getPod("web")).rejects.toMatchObject({ code: 404 });
  await node.agent.stop();
});
