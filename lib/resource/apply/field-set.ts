import { isJsonObject, type JsonObject, type JsonValue } from "../json-value.ts";
import type { PathElement } from "./path-element.ts";

/**
 * A set of field paths, as a tree: an element is in the set itself (`isMember`), or has elements below it that are, or
 * both. The empty set is the root without either. Sets are never changed once others can see them.
 */
export class FieldSet {
  static readonly empty: FieldSet = new FieldSet();

  /** The path that leads here is in the set. */
  isMember = false;
  readonly children: Map<PathElement, FieldSet> = new Map<PathElement, FieldSet>();

  /** From paths; for tests and small fixed sets. */
  static of(...paths: readonly (readonly PathElement[])[]): FieldSet {
    const set = new FieldSet();
    for (const path of paths) set.insert(path);
    return set;
  }

  /** Reads `fieldsV1`; what is not of its form is passed over. */
  static fromJson(json: JsonValue): FieldSet {
    const set = new FieldSet();
    if (isJsonObject(json)) set.#read(json);
    return set;
  }

  #read(json: JsonObject): void {
    const names = Object.keys(json);
    for (const name of names) {
      if (name === ".") {
        this.isMember = true;
        continue;
      }
      const below = json[name];
      if (!/^[fkvi]:/.test(name) || !isJsonObject(below)) continue;
      const child = this.child(name);
      if (Object.keys(below).length === 0) child.isMember = true;
      else child.#read(below);
    }
  }

  /** `fieldsV1`: a member without anything below is `{}`, one with has a member `.`. */
  toJson(): JsonObject {
    const json: JsonObject = {};
    if (this.isMember && this.children.size > 0) json["."] = {};
    for (const element of [...this.children.keys()].sort()) {
      const child = this.children.get(element);
      if (child !== undefined && !child.isEmpty) json[element] = child.toJson();
    }
    return json;
  }

  /** The set below an element, made if it is not there. */
  child(element: PathElement): FieldSet {
    const known = this.children.get(element);
    if (known !== undefined) return known;
    const made = new FieldSet();
    this.children.set(element, made);
    return made;
  }

  insert(path: readonly PathElement[]): void {
    let set: FieldSet = this;
    for (const element of path) set = set.child(element);
    set.isMember = true;
  }

  get isEmpty(): boolean {
    if (this.isMember) return false;
    for (const child of this.children.values()) if (!child.isEmpty) return false;
    return true;
  }

  has(path: readonly PathElement[]): boolean {
    let set: FieldSet | undefined = this;
    for (const element of path) set = set?.children.get(element);
    return set?.isMember ?? false;
  }

  equals(other: FieldSet): boolean {
    return this.difference(other).isEmpty && other.difference(this).isEmpty;
  }

  union(other: FieldSet): FieldSet {
    return combine(this, other, (left, right) => left || right);
  }

  intersection(other: FieldSet): FieldSet {
    return combine(this, other, (left, right) => left && right);
  }

  /** What is here and not there, path by path. */
  difference(other: FieldSet): FieldSet {
    return combine(this, other, (left, right) => left && !right);
  }

  /** What is here and neither there nor below anything that is there. */
  recursiveDifference(other: FieldSet): FieldSet {
    const result = new FieldSet();
    if (other.isMember) return result;
    result.isMember = this.isMember;
    for (const [element, child] of this.children) {
      const rest = child.recursiveDifference(other.children.get(element) ?? FieldSet.empty);
      if (!rest.isEmpty) result.children.set(element, rest);
    }
    return result;
  }

  /** The same with everything on the way to a path in the set as well. */
  withParents(): FieldSet {
    return this.#grown(() => true);
  }

  /** The same with the members on the way to a path in the set; items of lists are there only if they were. */
  withNamedParents(): FieldSet {
    return this.#grown((element) => element.startsWith("f:"));
  }

  #grown(counts: (element: PathElement) => boolean, isParent = true): FieldSet {
    const result = new FieldSet();
    for (const [element, child] of this.children) {
      if (!child.isEmpty) result.children.set(element, child.#grown(counts, counts(element)));
    }
    result.isMember = this.isMember || (isParent && result.children.size > 0);
    return result;
  }

  /** All paths, in the order of their texts. */
  paths(): PathElement[][] {
    const found: PathElement[][] = this.isMember ? [[]] : [];
    for (const element of [...this.children.keys()].sort()) {
      for (const below of this.children.get(element)?.paths() ?? []) found.push([element, ...below]);
    }
    return found;
  }
}

function combine(left: FieldSet, right: FieldSet, keep: (left: boolean, right: boolean) => boolean): FieldSet {
  const result = new FieldSet();
  result.isMember = keep(left.isMember, right.isMember);
  for (const element of new Set([...left.children.keys(), ...right.children.keys()])) {
    const child = combine(
      left.children.get(element) ?? FieldSet.empty,
      right.children.get(element) ?? FieldSet.empty,
      keep,
    );
    if (child.isMember || child.children.size > 0) result.children.set(element, child);
  }
  return result;
}
