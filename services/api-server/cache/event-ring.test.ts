import { describe, expect, test } from "vitest";
import type { CachedObject } from "./cached-object.ts";
import { type CacheEvent, EventRing } from "./event-ring.ts";

function event(revision: number, sizeBytes = 10): CacheEvent {
  const after = { revision, sizeBytes } as CachedObject;
  return { revision, before: undefined, after, deleted: false };
}

function revisionsFrom(ring: EventRing, position: number | undefined): number[] | undefined {
  if (position === undefined) return undefined;
  const revisions: number[] = [];
  for (let at = position; ; at++) {
    const found = ring.at(at);
    if (found === undefined) return revisions;
    revisions.push(found.revision);
  }
}

describe("ring of events", () => {
  test("gives what came after a revision", () => {
    const ring = new EventRing(10, { events: 100, sizeBytes: 1_000_000 });
    for (const revision of [12, 15, 15, 20]) ring.push(event(revision));
    expect(revisionsFrom(ring, ring.positionAfter(10))).toEqual([12, 15, 15, 20]);
    expect(revisionsFrom(ring, ring.positionAfter(12))).toEqual([15, 15, 20]);
    expect(revisionsFrom(ring, ring.positionAfter(15))).toEqual([20]);
    expect(revisionsFrom(ring, ring.positionAfter(99))).toEqual([]);
    expect(ring.positionAfter(9)).toBeUndefined();
  });

  test.each([
    { events: 16, sizeBytes: 1_000_000 },
    { events: 1_000, sizeBytes: 160 },
  ])("holds no more than its limits %j, and never has a gap", (limits) => {
    const ring = new EventRing(0, limits);
    for (let revision = 1; revision <= 500; revision++) {
      ring.push(event(revision));
      const covered = revisionsFrom(ring, ring.positionAfter(ring.coveredAfter)) ?? [];
      expect(covered.length).toBeLessThanOrEqual(16);
      expect(covered).toEqual(
        Array.from({ length: covered.length }, (_, index) => revision - covered.length + 1 + index),
      );
      expect(ring.coveredAfter).toBe((covered[0] ?? 0) - 1);
      expect(ring.positionAfter(ring.coveredAfter - 1)).toBeUndefined();
    }
  });

  test("a position that fell out is told from one that is not there yet", () => {
    const ring = new EventRing(0, { events: 4, sizeBytes: 1_000 });
    const start = ring.end;
    for (let revision = 1; revision <= 20; revision++) ring.push(event(revision));
    expect(ring.holds(start)).toBe(false);
    expect(ring.holds(ring.end)).toBe(true);
    expect(ring.at(ring.end)).toBeUndefined();
  });

  test("an event that is larger than the ring is kept until the next one", () => {
    const ring = new EventRing(0, { events: 10, sizeBytes: 100 });
    ring.push(event(1, 5_000));
    expect(revisionsFrom(ring, ring.positionAfter(0))).toEqual([1]);
    ring.push(event(2, 5_000));
    expect(ring.positionAfter(0)).toBeUndefined();
    expect(revisionsFrom(ring, ring.positionAfter(1))).toEqual([2]);
  });
});
