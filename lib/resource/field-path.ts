/** The place of a value as messages name it: `spec.containers[0].env[1].name`, `metadata.labels[a/b]`. */
export class FieldPath {
  static readonly root: FieldPath = new FieldPath(undefined, "");

  readonly #parent: FieldPath | undefined;
  readonly #part: string;

  private constructor(parent: FieldPath | undefined, part: string) {
    this.#parent = parent;
    this.#part = part;
  }

  /** From names joined by dots. */
  static of(text: string): FieldPath {
    return FieldPath.root.child(...text.split("."));
  }

  child(...names: readonly string[]): FieldPath {
    let path: FieldPath = this;
    for (const name of names) path = new FieldPath(path, path.#parent === undefined ? name : `.${name}`);
    return path;
  }

  index(position: number): FieldPath {
    return new FieldPath(this, `[${position}]`);
  }

  key(name: string): FieldPath {
    return new FieldPath(this, `[${name}]`);
  }

  toString(): string {
    return this.#parent === undefined ? this.#part : `${this.#parent}${this.#part}`;
  }
}
