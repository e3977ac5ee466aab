import { MemoryApi } from "../../lib/client/testkit/memory-api.ts";
import { silentLog } from "../../lib/core/log.ts";
import { SeededRandom } from "../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../lib/core/virtual-clock.ts";
import type { Event, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { coreEvents, pods } from "../../lib/gen/k8s/resources.ts";
import { NodeAgent, type NodeAgentOptions } from "../agent.ts";
import { simulatedMachine } from "../node/machine.ts";
import type { ContainerState, Runtime } from "../runtime/runtime.ts";
import { BEHAVIOUR_ANNOTATION, type Behaviour } from "../runtime/simulated/behaviour.ts";
import { SimulatedRuntime, type SimulatedRuntimeOptions } from "../runtime/simulated/simulated-runtime.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { type Faults, untilKilled, withFaults } from "./faulty-runtime.ts";

interface SimulatedNodeOptions extends Partial<SimulatedRuntimeOptions> {
  readonly agent?: Partial<NodeAgentOptions>;
  readonly volumes?: Volumes;
}

/** One simulated node under a virtual clock, with an API in memory: what unit tests of the agent stand on. */
export class SimulatedNode {
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(7);
  readonly api = new MemoryApi({ clock: this.clock, random: this.random });
  readonly faults: Faults = { calls: [] };
  /** What runs, whatever the agent is told. */
  readonly real: SimulatedRuntime;
  readonly runtime: Runtime;
  agent: NodeAgent;
  #life = { over: false };
  readonly #options: Partial<NodeAgentOptions>;
  readonly #volumes: Volumes | undefined;

  constructor(options: SimulatedNodeOptions = {}) {
    const { agent = {}, volumes, ...runtime } = options;
    this.#volumes = volumes;
    this.#options = agent;
    this.real = new SimulatedRuntime(this, { podCidr: "10.1.0.0/24", ...runtime });
    this.runtime = withFaults(this.real, this.faults);
    this.agent = this.newAgent();
  }

  /** Another agent of the same node and runtime, as after a restart. */
  newAgent(): NodeAgent {
    const life = { over: false };
    this.#life = life;
    const isKilled = () => life.over;
    return new NodeAgent(
      {
        api: untilKilled(this.api, isKilled),
        runtime: untilKilled(this.runtime, isKilled),
        machine: simulatedMachine(),
        clock: this.clock,
        random: this.random,
        log: silentLog,
        ...(this.#volumes === undefined ? {} : { volumes: this.#volumes }),
      },
      {
        nodeName: "n1",
        nodeIp: "10.0.0.1",
        podCidr: "10.1.0.0/24",
        rootDir: "/nowhere",
        podLogsDir: "/nowhere",
        simulated: true,
        version: "v1.36.0",
        ...this.#options,
      },
    );
  }

  async start(): Promise<void> {
    await this.agent.start();
  }

  /** As kill -9: from now on nothing that the agent asks for happens; what runs goes on. */
  kill(): void {
    this.#life.over = true;
  }

  /** The killed agent's remains are cleared away, a new one starts. */
  async restart(): Promise<void> {
    await (await this.replace()).started;
  }

  /** The same, not waiting for the new agent, which may be killed before it has started. */
  async replace(): Promise<{ started: Promise<void> }> {
    this.kill();
    await this.agent.stop().catch(() => undefined);
    this.agent = this.newAgent();
    return { started: this.agent.start() };
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

  /** What is on the node, as the runtime itself knows it. */
  async containers(): Promise<ContainerState[]> {
    const identities = await this.real.listPods();
    const states = await Promise.all(identities.map(({ uid }) => this.real.readPod(uid)));
    return states.flatMap((state) => state.containers);
  }

  async events(): Promise<string[]> {
    const { items } = await this.api.list<Event>(coreEvents, {});
    return items.map((event) => `${event.type} ${event.reason} ${event.message}`);
  }
}

type BehaviourMap = Readonly<Record<string, Behaviour | readonly Behaviour[]>>;
