/**
 * Runs `work` `count` times in batches of 1, 2, 4 … so that a refusal that all would meet costs few requests. Stops after the
 * first batch with a failure and answers it with how many succeeded.
 */
export async function slowStart(
  count: number,
  work: () => Promise<void>,
): Promise<{ readonly succeeded: number; readonly failure: unknown }> {
  let succeeded = 0;
  for (let size = 1; succeeded < count; size *= 2) {
    const batch = Array.from({ length: Math.min(size, count - succeeded) }, () => work());
    const results = await Promise.allSettled(batch);
    succeeded += results.filter((result) => result.status === "fulfilled").length;
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) return { succeeded, failure: failed.reason };
  }
  return { succeeded, failure: undefined };
}
