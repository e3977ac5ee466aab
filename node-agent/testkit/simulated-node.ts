import { MemoryApi } from "../../lib/client/testkit/memory-api.ts";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import type { Event, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { coreEvents, pods } from "../../lib/gen/k8s/resources.ts";
import { NodeAgent, type NodeAgentOptions } from "../agent.ts";
import { simulatedMachine } from "../node/machine.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { BEHAVIOUR_ANNOTATION, type Behaviour } from "../runtime/simulated/behaviour.ts";
import { SimulatedRuntime, type SimulatedRuntimeOptions } from "../runtime/simulated/simulated-runtime.ts";

/** One simulated node under a virtual clock, with an API in memory: what unit tests of the agent stand on. */
export class SimulatedNode {
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(7);
  readonly api = new MemoryApi({ clock: this.clock, random: this.random });
  runtime: Runtime;
  agent: NodeAgent;
  readonly #options: Partial<NodeAgentOptions>;

  constructor(options: Partial<SimulatedRuntimeOptions> & { agent?: Partial<NodeAgentOptions> } = {}) {
    const { agent = {}, ...runtime } = options;
    this.#options = agent;
    this.runtime = new SimulatedRuntime(this, { podCidr: "10.1.0.0/24", ...runtime });
    this.agent = this.newAgent();
  }

  /** Another agent of the same node and runtime, as after a restart. */
  newAgent(): NodeAgent {
    return new NodeAgent(
      {
        api: this.api,
        runtime: this.runtime,
        machine: simulatedMachine(),
        clock: this.clock,
        random: this.random,
        log: silentLog,
      },
      {
        nodeName: "n1",
        nodeIp: "10.0.0.1",
        podCidr: "10.1.0.0/24",
        rootDir: "/nowhere",
        podLogsDir: "",
        simulated: true,
        version: "v1.36.0",
        ...this.#options,
      },
    );
  }

  async start(): Promise<void> {
    await this.agent.start();
  }

  /** As kill -9 does: nothing is said to anybody, what runs goes on. */
  async crash(): Promise<void> {
    await this.agent.stop();
    this.agent = this.newAgent();
  }

  createPod(name: string, change: (pod: Pod) => void = () => {}, behaviours: BehaviourMap = {}): Promise<Pod> {
    const annotations = { [BEHAVIOUR_ANNOTATION]: JSON.stringify(behaviours) };
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", annotations },
      spec: {
        nodeName: "n1",
        restartPolicy: "Always",
        terminationGracePeriodSeconds: 30,
        containers: [{ name: "web", image: "example/web:1", imagePullPolicy: "IfNotPresent" }],
      },
      status: { phase: "Pending", qosClass: "BestEffort" },
    };
    change(pod);
    return this.api.create(pods, pod);
  }

  getPod(name: string): Promise<Pod> {
    return this.api.get(pods, { namespace: "default", name });
  }

  /** Moves time until the pod is as asked; fails after `limitMs` of it. */
  async until(name: string, condition: (pod: Pod) => boolean, limitMs = 120_000): Promise<Pod> {
    let pod = await this.getPod(name);
    for (let spentMs = 0; !condition(pod); spentMs += 100) {
      if (spentMs > limitMs) throw new Error(`the pod never came to that: ${JSON.stringify(pod.status)}`);
      await this.clock.advance(100);
      pod = await this.getPod(name);
    }
    return pod;
  }

  async events(): Promise<string[]> {
    const { items } = await this.api.list<Event>(coreEvents, {});
    return items.map((event) => `${event.type} ${event.reason} ${event.message}`);
  }
}

type BehaviourMap = Readonly<Record<string, Behaviour | readonly Behaviour[]>>;
