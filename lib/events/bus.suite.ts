import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Bus } from "./bus.ts";

export interface BusSuiteSubject {
  /** A started bus that the suite stops, and a second view of the same subjects (the same bus where there is only one). */
  open(): Promise<{ readonly bus: Bus; readonly other: Bus; close(): Promise<void> }>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

class Heard {
  readonly texts: string[] = [];
  readonly gaps: string[] = [];
  message(subject: string, data: Uint8Array): void {
    this.texts.push(`${subject}=${new TextDecoder().decode(data)}`);
  }
  gap(reason: string): void {
    this.gaps.push(reason);
  }
}

/** What every implementation of `Bus` does. */
export function busSuite(name: string, subject: BusSuiteSubject): void {
  describe(`bus: ${name}`, () => {
    let bus: Bus;
    let other: Bus;
    let close: () => Promise<void>;
    let ending: AbortController;
    beforeEach(async () => {
      ({ bus, other, close } = await subject.open());
      ending = new AbortController();
    });
    afterEach(async () => {
      ending.abort();
      await close();
    });
    const settled = (heard: Heard, count: number) => expect.poll(() => heard.texts.length).toBe(count);

    test("every hearer of a subject hears what is published after its subscription, in order", async () => {
      bus.publish("t.early", bytes("0"));
      const [one, two] = [new Heard(), new Heard()];
      await bus.subscribe("t.>", one, ending.signal);
      await other.subscribe("t.>", two, ending.signal);
      for (let i = 0; i < 500; i++) expect(bus.publish(`t.n${i % 3}`, bytes(String(i)))).toBe(true);
      await settled(two, 500);
      await settled(one, 500);
      expect(one.texts).toEqual(Array.from({ length: 500 }, (_, i) => `t.n${i % 3}=${i}`));
      expect(two.texts).toEqual(one.texts);
      expect([...one.gaps, ...two.gaps]).toEqual([]);
    });

    test("patterns choose: * is one token, > the rest, and nothing else is heard", async () => {
      const [star, rest, exact] = [new Heard(), new Heard(), new Heard()];
      await other.subscribe("p.*.c", star, ending.signal);
      await other.subscribe("p.b.>", rest, ending.signal);
      await other.subscribe("p.b", exact, ending.signal);
      for (const to of ["p.b.c", "p.b", "p.x.c", "p.b.c.d", "p.c", "q.b.c"]) bus.publish(to, bytes("!"));
      const last = new Heard();
      await other.subscribe("p.last", last, ending.signal);
      bus.publish("p.last", bytes("!"));
      await settled(last, 1);
      expect(star.texts).toEqual(["p.b.c=!", "p.x.c=!"]);
      expect(rest.texts).toEqual(["p.b.c=!", "p.b.c.d=!"]);
      expect(exact.texts).toEqual(["p.b=!"]);
    });

    test("an aborted signal ends one subscription and no other", async () => {
      const mine = new AbortController();
      const [ended, kept] = [new Heard(), new Heard()];
      await bus.subscribe("e.>", ended, mine.signal);
      await bus.subscribe("e.>", kept, ending.signal);
      bus.publish("e.1", bytes("1"));
      await settled(kept, 1);
      await settled(ended, 1);
      mine.abort();
      await bus.subscribe("e.>", ended, mine.signal);
      bus.publish("e.2", bytes("2"));
      await settled(kept, 2);
      expect(ended.texts).toEqual(["e.1=1"]);
    });

    test("a hearer owns its bytes: the publisher's buffer may be used again", async () => {
      const kept: Uint8Array[] = [];
      await other.subscribe("b.>", { message: (_, data) => void kept.push(data), gap: () => {} }, ending.signal);
      const buffer = bytes("first");
      bus.publish("b.1", buffer);
      await expect.poll(() => kept.length).toBe(1);
      buffer.fill(0);
      expect(new TextDecoder().decode(kept[0])).toBe("first");
    });

    test("a stopped bus is away, drops what is published and says so", async () => {
      expect(bus.status()).toBe("connected");
      await bus.stop();
      expect(bus.status()).toBe("away");
      expect(bus.publish("s.1", bytes("1"))).toBe(false);
    });
  });
}
