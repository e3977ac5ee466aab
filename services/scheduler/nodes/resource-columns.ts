import type { PodInfo } from "./pod-info.ts";
import type { Amounts } from "./pod-requests.ts";

/** One resource over all nodes. Doubles hold every amount up to 2^53 exactly. */
export interface ResourceColumn {
  readonly resource: string;
  allocatable: Float64Array;
  requested: Float64Array;
}

const FIRST_CAPACITY = 64;

/** A column per resource that any node offers or any pod asks for; a row per node. */
export class ResourceColumns {
  readonly cpu: ResourceColumn;
  readonly memory: ResourceColumn;
  /** With assumed amounts for pods that ask for nothing: for scores only. */
  readonly scoringCpu: ResourceColumn;
  readonly scoringMemory: ResourceColumn;
  private readonly byName = new Map<string, ResourceColumn>();
  private readonly all: ResourceColumn[] = [];
  private capacity = FIRST_CAPACITY;

  constructor() {
    this.cpu = this.column("cpu");
    this.memory = this.column("memory");
    this.scoringCpu = this.make("cpu");
    this.scoringMemory = this.make("memory");
  }

  column(resource: string): ResourceColumn {
    let column = this.byName.get(resource);
    if (column === undefined) {
      column = this.make(resource);
      this.byName.set(resource, column);
    }
    return column;
  }

  /** Makes room for the row. */
  reserve(row: number): void {
    if (row < this.capacity) return;
    while (row >= this.capacity) this.capacity *= 2;
    for (const column of this.all) {
      column.allocatable = grown(column.allocatable, this.capacity);
      column.requested = grown(column.requested, this.capacity);
    }
  }

  setAllocatable(row: number, amounts: Amounts): void {
    for (const column of this.all) column.allocatable[row] = 0;
    for (const [resource, amount] of amounts) this.column(resource).allocatable[row] = amount;
  }

  add(row: number, info: PodInfo, sign: 1 | -1): void {
    for (const [resource, amount] of info.requests) {
      const { requested } = this.column(resource);
      requested[row] = (requested[row] ?? 0) + sign * amount;
    }
    this.scoringCpu.requested[row] = (this.scoringCpu.requested[row] ?? 0) + sign * info.scoringCpuMilli;
    this.scoringMemory.requested[row] = (this.scoringMemory.requested[row] ?? 0) + sign * info.scoringMemoryBytes;
  }

  clear(row: number): void {
    for (const column of this.all) {
      column.allocatable[row] = 0;
      column.requested[row] = 0;
    }
  }

  private make(resource: string): ResourceColumn {
    const column = {
      resource,
      allocatable: new Float64Array(this.capacity),
      requested: new Float64Array(this.capacity),
    };
    this.all.push(column);
    return column;
  }
}

function grown(values: Float64Array, capacity: number): Float64Array {
  const larger = new Float64Array(capacity);
  larger.set(values);
  return larger;
}
