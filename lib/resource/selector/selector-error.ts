/** A selector that cannot be read; the server answers 400 with this message. */
export class SelectorError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SelectorError";
  }
}
