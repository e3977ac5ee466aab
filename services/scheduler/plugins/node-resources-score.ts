import { SCORE_MAX, type Score } from "./score.ts";

/** The share of cpu and memory that stays free, on average. */
export const leastAllocatedScore: Score = {
  name: "NodeResourcesLeastAllocated",
  weight: 1,
  normalize: "none",
  prepare(pod, { columns }) {
    const { scoringCpuMilli, scoringMemoryBytes } = pod;
    return (nodes, into) => {
      const { allocatable: cpu } = columns.cpu;
      const { allocatable: memory } = columns.memory;
      const { requested: usedCpu } = columns.scoringCpu;
      const { requested: usedMemory } = columns.scoringMemory;
      for (let index = 0; index < nodes.length; index++) {
        const { row } = nodes[index]!;
        const freeCpu = freeShare(cpu[row]!, usedCpu[row]! + scoringCpuMilli);
        const freeMemory = freeShare(memory[row]!, usedMemory[row]! + scoringMemoryBytes);
        into[index] = ((freeCpu + freeMemory) / 2) * SCORE_MAX;
      }
    };
  },
};

/** 100 when cpu and memory would be used to the same share, less the more they differ. */
export const balancedAllocationScore: Score = {
  name: "NodeResourcesBalancedAllocation",
  weight: 1,
  normalize: "none",
  prepare(pod, { columns }) {
    const amountOf = (resource: string) => pod.requests.find(([name]) => name === resource)?.[1] ?? 0;
    const cpuMilli = amountOf("cpu");
    const memoryBytes = amountOf("memory");
    if (cpuMilli === 0 && memoryBytes === 0) return undefined;
    return (nodes, into) => {
      const { allocatable: cpu, requested: usedCpu } = columns.cpu;
      const { allocatable: memory, requested: usedMemory } = columns.memory;
      for (let index = 0; index < nodes.length; index++) {
        const { row } = nodes[index]!;
        const freeCpu = freeShare(cpu[row]!, usedCpu[row]! + cpuMilli);
        const freeMemory = freeShare(memory[row]!, usedMemory[row]! + memoryBytes);
        into[index] = (1 - Math.abs(freeCpu - freeMemory) / 2) * SCORE_MAX;
      }
    };
  },
};

function freeShare(allocatable: number, requested: number): number {
  return allocatable <= 0 || requested >= allocatable ? 0 : 1 - requested / allocatable;
}
