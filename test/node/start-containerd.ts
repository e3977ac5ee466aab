import { silentLog } from "../../lib/core/log.ts";
import { runCommand } from "../../lib/process/command.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { ContainerNode } from "../../node-agent/container-node.ts";

/** Run inside a network namespace: starts a containerd there, loads the test image, prints where and which, and ends. */
const [dataDir = "", id = "", podCidr = ""] = process.argv.slice(2);
const node = new ContainerNode(
  { clock: realClock, random: realRandom, log: silentLog, run: runCommand },
  { dataDir, id },
);
await node.start(podCidr);
const image = await node.loadTestImage();
process.stdout.write(JSON.stringify({ socketPath: node.socketPath, image }));
