/** A configuration that cannot be applied: it contradicts the schema or itself. The server answers 400. */
export class ApplyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ApplyError";
  }
}
