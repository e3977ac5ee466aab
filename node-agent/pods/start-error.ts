/** A container that should run cannot: `reason` is what its status shows as waiting. */
export class StartError extends Error {
  readonly reason: string;
  /** When another try makes sense; undefined leaves it to the worker's own back-off. */
  readonly retryMs: number | undefined;

  constructor(reason: string, message: string, retryMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "StartError";
    this.reason = reason;
    this.retryMs = retryMs;
  }
}
