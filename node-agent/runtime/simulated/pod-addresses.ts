/** Hands out addresses of an IPv4 range, never the network's own, its gateway (.1) or its broadcast address. */
export class PodAddresses {
  readonly #baseNumber: number;
  readonly #count: number;
  readonly #taken = new Set<number>();
  #cursor = 2;

  constructor(cidr: string) {
    const [address = "", prefix = ""] = cidr.split("/");
    this.#baseNumber = toNumber(address);
    this.#count = 2 ** (32 - Number(prefix));
  }

  next(): string {
    for (let tried = 0; tried < this.#count; tried++) {
      const offset = this.#cursor;
      this.#cursor = this.#cursor + 1 >= this.#count - 1 ? 2 : this.#cursor + 1;
      if (!this.#taken.has(offset)) {
        this.#taken.add(offset);
        return toText(this.#baseNumber + offset);
      }
    }
    throw new Error("the pod range is used up");
  }

  take(address: string): void {
    this.#taken.add(toNumber(address) - this.#baseNumber);
  }

  free(address: string): void {
    this.#taken.delete(toNumber(address) - this.#baseNumber);
  }
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}
