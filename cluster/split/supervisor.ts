import type { Startable } from "../../lib/core/startable.ts";
import { type ProcessSpec, SupervisedProcess, type SupervisedProcessComponents } from "./supervised-process.ts";

/**
 * Keeps a cluster's processes running. `stages` are in the order of need: all are started at once, since every role waits
 * for what it needs, and ended stage by stage from the last one.
 */
export class Supervisor implements Startable {
  readonly #stages: readonly (readonly SupervisedProcess[])[];

  constructor(components: SupervisedProcessComponents, stages: readonly (readonly ProcessSpec[])[]) {
    this.#stages = stages.map((stage) => stage.map((spec) => new SupervisedProcess(components, spec)));
  }

  async start(): Promise<void> {
    for (const each of this.#stages.flat()) each.start();
  }

  async stop(): Promise<void> {
    for (const stage of this.#stages.toReversed()) await Promise.all(stage.map((each) => each.stop()));
  }

  /** The process of that name; undefined pid while it waits to be started again. */
  process(name: string): Pick<SupervisedProcess, "name" | "pid" | "failures"> {
    const found = this.#stages.flat().find((each) => each.name === name);
    if (found === undefined) throw new Error(`no process is called ${name}`);
    return found;
  }
}
