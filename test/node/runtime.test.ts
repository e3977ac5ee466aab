import { afterAll, beforeAll, describe } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { CriRuntime } from "../../node-agent/runtime/cri/cri-runtime.ts";
import { type Role, runtimeSuite } from "../../node-agent/runtime/runtime.suite.ts";
import { skipping, whyNotContainers } from "../kit/requirements.ts";
import { startTestContainerd, type TestContainerd } from "./test-containerd.ts";

const COMMANDS: Record<Role, string[]> = {
  obedient: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"],
  stubborn: ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"],
  prints: ["sh", "-c", "echo hello; echo world; exit 3"],
};

describe.skipIf(skipping("node: runtime on containerd", whyNotContainers()))("containerd", () => {
  let containerd: TestContainerd;
  beforeAll(async () => {
    containerd = await startTestContainerd("10.77.1.0/24");
  });
  afterAll(() => containerd.stop());

  runtimeSuite("containerd", async () => {
    const opened: CriRuntime[] = [];
    const make = async () => {
      const options = { socketPath: containerd.socketPath };
      const runtime = new CriRuntime({ clock: realClock, log: silentLog }, options);
      await runtime.start();
      opened.push(runtime);
      return runtime;
    };
    return {
      runtime: await make(),
      image: containerd.image,
      missingImage: "localhost:1/none:1",
      logDirectory: `${containerd.dir}/logs`,
      play: (_name, role) => ({ annotations: {}, command: COMMANDS[role] }),
      async until(condition) {
        while (!(await condition())) await realClock.sleep(20);
      },
      elapsedMs: () => performance.now(),
      reopen: make,
      async stop() {
        for (const runtime of opened) await runtime.stop();
      },
    };
  });
});
