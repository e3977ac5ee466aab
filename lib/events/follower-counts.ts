/** `above-durable`: a revision that the store does not have. `forged`: one that contradicts what was proven. */
export type Refusal = "undecodable" | "epoch" | "stream" | "above-durable" | "forged";

/** What followers met on the bus. */
export class FollowerCounts {
  readonly refused: Record<Refusal, number> = { undecodable: 0, epoch: 0, stream: 0, "above-durable": 0, forged: 0 };
  /** Heard again. */
  duplicates = 0;
  /** Questions to the API: one at the start, one for each gap, and one for each watch that the bus's silence needs. */
  resumes = 0;
}
