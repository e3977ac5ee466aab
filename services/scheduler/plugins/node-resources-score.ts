import { SCORE_MAX, type Score } from "./score.ts";

/** The share of cpu and memory that stays free, on average. */
export const leastAllocatedScore: Score = {
  name: "NodeResourcesLeastAllocated",
  weight: 1,
  normalize: "none",
  prepare(pod, { columns }) {
    const { cpu, memory, scoringCpu, scoringMemory } = columns;
    return ({ row }) => {
      const freeCpu = freeShare(cpu.allocatable[row]!, scoringCpu.requested[row]! + pod.scoringCpuMilli);
      const freeMemory = freeShare(memory.allocatable[row]!, scoringMemory.requested[row]! + pod.scoringMemoryBytes);
      return ((freeCpu + freeMemory) / 2) * SCORE_MAX;
    };
  },
};

/** 100 when cpu and memory would be used to the same share, less the more they differ. */
export const balancedAllocationScore: Score = {
  name: "NodeResourcesBalancedAllocation",
  weight: 1,
  normalize: "none",
  prepare(pod, { columns }) {
    const { cpu, memory } = columns;
    const asked = new Map(pod.requests);
    const cpuMilli = asked.get("cpu") ?? 0;
    const memoryBytes = asked.get("memory") ?? 0;
    if (cpuMilli === 0 && memoryBytes === 0) return undefined;
    return ({ row }) => {
      const cpuShare = 1 - freeShare(cpu.allocatable[row]!, cpu.requested[row]! + cpuMilli);
      const memoryShare = 1 - freeShare(memory.allocatable[row]!, memory.requested[row]! + memoryBytes);
      return (1 - Math.abs(cpuShare - memoryShare) / 2) * SCORE_MAX;
    };
  },
};

function freeShare(allocatable: number, requested: number): number {
  return allocatable <= 0 || requested >= allocatable ? 0 : 1 - requested / allocatable;
}
