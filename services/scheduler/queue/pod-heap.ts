/** A binary heap with removal by key; `before` must be a strict order. */
export class PodHeap<T extends { readonly key: string }> {
  private readonly items: T[] = [];
  private readonly places = new Map<string, number>();
  private readonly before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.before = before;
  }

  get size(): number {
    return this.items.length;
  }

  has(key: string): boolean {
    return this.places.has(key);
  }

  first(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    this.remove(item.key);
    this.items.push(item);
    this.places.set(item.key, this.items.length - 1);
    this.up(this.items.length - 1);
  }

  pop(): T | undefined {
    const first = this.items[0];
    if (first !== undefined) this.remove(first.key);
    return first;
  }

  remove(key: string): T | undefined {
    const place = this.places.get(key);
    if (place === undefined) return undefined;
    const removed = this.items[place];
    const last = this.items.pop();
    this.places.delete(key);
    if (last !== undefined && place < this.items.length) {
      this.items[place] = last;
      this.places.set(last.key, place);
      this.up(place);
      this.down(this.places.get(last.key) ?? place);
    }
    return removed;
  }

  private up(start: number): void {
    for (let place = start; place > 0; ) {
      const parent = (place - 1) >> 1;
      if (!this.before(this.items[place]!, this.items[parent]!)) return;
      this.swap(place, parent);
      place = parent;
    }
  }

  private down(start: number): void {
    for (let place = start; ; ) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child < this.items.length && this.before(this.items[child]!, this.items[least]!)) least = child;
      }
      if (least === place) return;
      this.swap(place, least);
      place = least;
    }
  }

  private swap(a: number, b: number): void {
    const itemA = this.items[a]!;
    const itemB = this.items[b]!;
    this.items[a] = itemB;
    this.items[b] = itemA;
    this.places.set(itemB.key, a);
    this.places.set(itemA.key, b);
  }
}
