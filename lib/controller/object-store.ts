import { type ApiObject, keyOf } from "../client/api-object.ts";

/** Values under which an object is found; computed once per change. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** What an informer knows: objects by key, and by indexes. Objects are frozen and shared: copy before changing. */
export class ObjectStore<T extends ApiObject> {
  private readonly objects = new Map<string, T>();
  private readonly indexes: Record<string, IndexFunction<T>>;
  private readonly indexed = new Map<string, Map<string, Map<string, T>>>();

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.indexes = { ...indexes };
    for (const name of Object.keys(indexes)) this.indexed.set(name, new Map());
  }

  /** While the store is empty. Asking again for a name that is there does nothing: the function must be the same. */
  addIndex(name: string, index: IndexFunction<T>): void {
    if (this.indexed.has(name)) return;
    if (this.objects.size > 0) throw new Error(`index ${name} comes too late`);
    this.indexes[name] = index;
    this.indexed.set(name, new Map());
  }

  get size(): number {
    return this.objects.size;
  }

  get(key: string): T | undefined {
    return this.objects.get(key);
  }

  list(): T[] {
    return [...this.objects.values()];
  }

  keys(): string[] {
    return [...this.objects.keys()];
  }

  /** Objects for which the index function gave `value`. */
  byIndex(index: string, value: string): T[] {
    const values = this.indexed.get(index);
    if (values === undefined) throw new Error(`no index ${index}`);
    return [...(values.get(value)?.values() ?? [])];
  }

  /** Answers what stood there before. */
  put(object: T): T | undefined {
    const key = keyOf(object);
    const old = this.remove(key);
    this.objects.set(key, object);
    for (const [name, values] of this.indexed) {
      for (const value of this.indexes[name]?.(object) ?? []) {
        const members = values.get(value) ?? new Map<string, T>();
        members.set(key, object);
        values.set(value, members);
      }
    }
    return old;
  }

  remove(key: string): T | undefined {
    const old = this.objects.get(key);
    if (old === undefined) return undefined;
    this.objects.delete(key);
    for (const [name, values] of this.indexed) {
      for (const value of this.indexes[name]?.(old) ?? []) {
        const members = values.get(value);
        members?.delete(key);
        if (members?.size === 0) values.delete(value);
      }
    }
    return old;
  }
}
