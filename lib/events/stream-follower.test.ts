import { afterEach, expect, test } from "vitest";
import type { Change } from "./envelope.ts";
import type { Faults } from "./testkit/faulty-bus.ts";
import { FollowedStream, StreamWorld } from "./testkit/stream-world.ts";

const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1);
const started: FollowedStream[] = [];

interface Scene {
  readonly world: StreamWorld;
  readonly followed: FollowedStream;
}

/** With the first heads heard: the bus is not silent any more. */
async function scene(seed = 1): Promise<Scene> {
  const world = new StreamWorld(seed);
  await world.bus.start();
  for (let i = 0; i < 5; i++) world.write(world.pods, [`early-${i}`]);
  const followed = new FollowedStream(world, world.pods);
  started.push(followed);
  followed.start();
  await world.clock.advance(1_100);
  return { world, followed };
}

afterEach(async () => {
  for (const followed of started.splice(0)) await followed.stop();
});

/** Some seconds of writes to two streams, several objects at once among them. */
async function churn(world: StreamWorld, steps = 200, between: () => void = () => {}): Promise<void> {
  for (let i = 0; i < steps; i++) {
    const name = `p${Math.floor(world.random.float() * 20)}`;
    const kind = world.random.float();
    if (kind < 0.5) world.write(world.pods, [name]);
    else if (kind < 0.6) world.write(world.pods, [name, `${name}-b`, `${name}-c`]);
    else if (kind < 0.75) world.remove(world.pods, name);
    else world.write(world.secrets, [name]);
    between();
    await world.clock.advance(world.random.float() * 100);
  }
}

function expectEqual({ world, followed }: Scene): void {
  expect(followed.objects).toEqual(world.state(world.pods));
  expect(followed.covered).toBe(world.revision);
}

test("without faults the API is asked once, at the start", async () => {
  const it = await scene();
  await churn(it.world);
  await it.world.clock.advance(2_000);
  expectEqual(it);
  expect(it.followed.counts).toMatchObject({ resumes: 1, duplicates: 0 });
  expect(it.followed.lists).toBe(1);
});

test("what waited for one message is applied in slices, with turns of everybody else between", async () => {
  const it = await scene();
  const { world, followed } = it;
  world.bus.loses = () => true;
  world.write(world.pods, ["late"]);
  await world.clock.advance(1);
  world.bus.loses = () => false;
  const late = world.revision;
  for (let i = 0; i < 1_000; i++) world.write(world.pods, [`p${i}`]);
  await world.clock.advance(10);
  expect(followed.covered).toBe(late - 1);
  const place = { stream: "pods", revision: late, previousRevision: late - 1, part: 0, parts: 1, namespace: "default" };
  const object = Buffer.from(`late@${late}`);
  world.publish({ ...place, operation: "put", name: "late", identityOnly: false, encoding: "json", object });
  await Promise.resolve();
  expect(followed.covered).toBeGreaterThanOrEqual(late);
  expect(followed.covered).toBeLessThanOrEqual(late + 100);
  for (let turn = 0; turn < 20; turn++) await world.clock.advance(10);
  expectEqual(it);
  expect(followed.counts.resumes).toBe(1);
});

const FAULTS: readonly [string, Faults][] = [
  ["loss", { loss: 0.2 }],
  ["duplication", { duplication: 0.5 }],
  ["delay and reordering", { delay: 0.4, delayMs: 400 }],
  ["everything", { loss: 0.2, duplication: 0.2, delay: 0.3, delayMs: 3_000 }],
  ["truncation", { truncation: 0.2 }],
];

test.each(FAULTS)("invariant 28: %s changes latency only", async (_name, faults) => {
  for (const seed of SEEDS) {
    const it = await scene(seed);
    it.world.bus.faults = faults;
    await churn(it.world);
    it.world.bus.faults = {};
    await it.world.clock.advance(6_000);
    expectEqual(it);
    expect([...it.followed.batches].sort((a, b) => a - b)).toEqual(it.followed.batches);
    expect(it.followed.lists).toBe(1);
  }
});

test("one lost message is healed by one resume, and no list, also when it is the last one", async () => {
  const it = await scene();
  it.world.bus.loses = (subject) => subject.endsWith(".lost");
  it.world.write(it.world.pods, ["lost"]);
  it.world.write(it.world.pods, ["next"]);
  await it.world.clock.advance(200);
  expectEqual(it);
  it.world.write(it.world.pods, ["lost"]);
  await it.world.clock.advance(1_200);
  expectEqual(it);
  expect(it.followed.counts.resumes).toBe(3);
  expect(it.followed.lists).toBe(1);
});

test("invariant 29: with the bus off for good the follower converges, and goes on when heads come again", async () => {
  const it = await scene();
  await it.world.bus.stop();
  await churn(it.world, 50);
  await it.world.clock.advance(7_000);
  expectEqual(it);
  // One watch that stays open.
  expect(it.followed.counts.resumes).toBe(2);
  await it.world.bus.start();
  await churn(it.world, 50);
  await it.world.clock.advance(2_000);
  expectEqual(it);
  const { resumes } = it.followed.counts;
  await churn(it.world, 50);
  expect(it.followed.counts.resumes).toBe(resumes);
  expect(it.followed.lists).toBe(1);
});

test("invariant 30: another epoch, another stream and revisions that the store has not are refused and counted", async () => {
  const it = await scene();
  const { world, followed } = it;
  const change: Change = {
    stream: "pods",
    revision: world.revision + 1,
    previousRevision: world.revision,
    part: 0,
    parts: 1,
    operation: "put",
    namespace: "default",
    name: "evil",
    identityOnly: false,
    encoding: "json",
    object: Buffer.from("forged"),
  };
  world.publish(change, world.pods, "epoch-0");
  world.publish({ ...change, stream: "secrets" });
  world.bus.publish(world.subjects.object(world.pods, "default", "evil"), Buffer.from("no event"));
  world.publish({ ...change, revision: 10_001, previousRevision: 10_000 });
  await world.clock.advance(500);
  expectEqual(it);
  expect(followed.counts.refused).toEqual({ epoch: 1, stream: 1, undecodable: 1, "above-durable": 1, forged: 0 });
});

test("a forged change that fits is found by the next heads, and everything is read anew", async () => {
  for (const quiet of [false, true]) {
    const it = await scene();
    const { world, followed } = it;
    const revision = world.revision + 1;
    if (!quiet) world.write(world.secrets, ["real"]);
    const forged: Change = {
      ...{ stream: "pods", revision, previousRevision: revision - 1, part: 0, parts: 1, operation: "put" },
      ...{ namespace: "default", name: "evil", identityOnly: false, encoding: "json", object: Buffer.from("forged") },
    };
    world.publish(forged);
    await world.clock.advance(1);
    expect(followed.objects.has("default/evil")).toBe(true);
    await world.clock.advance(4_000);
    expectEqual(it);
    expect(followed.lists).toBe(2);
    // The real one with that revision is heard after a forged one.
    world.publish({ ...forged, revision: world.revision + 1, previousRevision: world.revision });
    world.write(world.pods, ["real"]);
    await world.clock.advance(2_000);
    expectEqual(it);
  }
});

test("forged changes and heads among real ones never last", async () => {
  for (const seed of SEEDS) {
    const it = await scene(seed);
    const { world } = it;
    world.bus.faults = { duplication: 0.1, delay: 0.1 };
    const near = () => Math.max(1, world.revision - 5 + Math.floor(world.random.float() * 12));
    await churn(world, 200, () => {
      const [a, b] = [near(), near()].sort((x, y) => x - y) as [number, number];
      const kind = world.random.float();
      if (kind < 0.1) {
        const streams = new Map(kind < 0.05 ? [["pods", b + 1]] : []);
        world.publishHeads({ afterRevision: a, throughRevision: b + 1, streams });
      } else if (kind < 0.2) {
        world.publish({
          ...{ stream: "pods", revision: b + 1, previousRevision: a, part: 0, parts: 1, operation: "put" },
          ...{ namespace: "default", name: "evil", identityOnly: false, encoding: "json", object: Buffer.from("x") },
        });
      }
    });
    world.bus.faults = {};
    await world.clock.advance(4_000);
    world.write(world.pods, ["last"]);
    await world.clock.advance(4_000);
    expectEqual(it);
  }
});

test("an object that the bus does not carry is read from the API", async () => {
  const it = await scene();
  it.world.write(it.world.pods, ["large"], { identityOnly: true });
  await it.world.clock.advance(50);
  expectEqual(it);
  expect(it.followed.counts.resumes).toBe(2);
  expect(it.followed.lists).toBe(1);
});

test("bytes that are no object are refused, and the API is asked what they should have been", async () => {
  const it = await scene();
  it.world.write(it.world.pods, ["web"], { sent: Buffer.from("garbage") });
  await it.world.clock.advance(50);
  expectEqual(it);
  expect(it.followed.counts.refused.undecodable).toBe(1);
  expect(it.followed.counts.resumes).toBe(2);
  expect(it.followed.lists).toBe(1);
});

test("a store with another epoch is listed, and followed under its name", async () => {
  for (const bump of [1_000, 0]) {
    const it = await scene();
    await churn(it.world, 100);
    it.world.restore(bump);
    await it.world.clock.advance(7_000);
    expectEqual(it);
    expect(it.followed.lists).toBe(2);
    const { resumes } = it.followed.counts;
    await churn(it.world, 50);
    expectEqual(it);
    expect(it.followed.counts.resumes).toBe(resumes);
  }
});

test("a watch that the API ends while the bus is silent is opened again", async () => {
  const it = await scene();
  await it.world.bus.stop();
  await churn(it.world, 50);
  it.world.apiFails = true;
  await churn(it.world, 20);
  it.world.apiFails = false;
  await churn(it.world, 20);
  await it.world.clock.advance(2_000);
  expectEqual(it);
  expect(it.followed.lists).toBe(1);
});

test("history that is gone is a list, and an API that is away is asked again", async () => {
  const it = await scene();
  await it.world.bus.stop();
  await churn(it.world, 20);
  it.world.compactRevision = it.world.revision;
  it.world.apiFails = true;
  await it.world.clock.advance(10_000);
  it.world.apiFails = false;
  await it.world.clock.advance(5_000);
  expectEqual(it);
  expect(it.followed.lists).toBe(2);
});
