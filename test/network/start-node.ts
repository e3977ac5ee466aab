import { silentLog } from "../../lib/core/log.ts";
import { runCommand } from "../../lib/process/command.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { ContainerNode } from "../../node-agent/container-node.ts";

// Started inside a node's network; ends when containerd serves, which stays.
const [dataDir, record] = process.argv.slice(2);
const parts = { clock: realClock, random: realRandom, log: silentLog, run: runCommand };
const cluster = JSON.parse(record!);
await new ContainerNode(parts, { dataDir: dataDir!, id: cluster.id }).start(cluster.network.nodePodCidr);
