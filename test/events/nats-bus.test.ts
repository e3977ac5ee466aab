import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { busSuite } from "../../lib/events/bus.suite.ts";
import { NatsBus } from "../../lib/events/nats/nats-bus.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { NatsServer } from "../kit/nats.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";

describe.skipIf(skipping("nats-bus", whyNotPrograms(["nats-server"])))("a real nats-server", () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start();
  });
  afterAll(() => server.stop());

  const busOf = (options: { outgoingLimitBytes?: number } = {}) =>
    new NatsBus(
      { clock: realClock, log: silentLog },
      { servers: [server.address], name: "test", reconnectDelayMs: 50, ...options },
    );

  busSuite("NATS", {
    async open() {
      const [bus, other] = [busOf(), busOf()];
      await Promise.all([bus.start(), other.start()]);
      return { bus, other, close: async () => void (await Promise.all([bus.stop(), other.stop()])) };
    },
  });

  test("F8: a server that dies and comes back is a gap; nothing published meanwhile is kept", async () => {
    const bus = busOf();
    await bus.start();
    const heard: string[] = [];
    const handler = {
      message: (subject: string) => void heard.push(subject),
      gap: (reason: string) => void heard.push(reason),
    };
    await bus.subscribe("r.>", handler, new AbortController().signal);
    await server.kill();
    await expect.poll(() => bus.status()).toBe("away");
    expect(bus.publish("r.lost", new Uint8Array(1))).toBe(false);
    await server.startAgain();
    await expect.poll(() => bus.status(), { timeout: 10_000 }).toBe("connected");
    expect(bus.publish("r.after", new Uint8Array(1))).toBe(true);
    await expect.poll(() => heard).toEqual(["away", "reconnected", "r.after"]);
    await bus.stop();
  });

  test("F8: a bus starts without a server, and hears once there is one", async () => {
    await server.kill();
    const bus = busOf();
    await bus.start();
    expect(bus.status()).toBe("away");
    const heard: string[] = [];
    const handler = {
      message: (subject: string) => void heard.push(subject),
      gap: (reason: string) => void heard.push(reason),
    };
    await bus.subscribe("d.>", handler, new AbortController().signal);
    await server.startAgain();
    await expect.poll(() => bus.status(), { timeout: 10_000 }).toBe("connected");
    bus.publish("d.1", new Uint8Array(1));
    await expect.poll(() => heard).toEqual(["connected", "d.1"]);
    await bus.stop();
  });

  test("F2: nobody waits for a server that hangs until it is gone, and then there is room again", async () => {
    const bus = busOf({ outgoingLimitBytes: 1_000 });
    await bus.start();
    server.signal("SIGSTOP");
    expect(bus.publish("h.1", new Uint8Array(900))).toBe(true);
    const heard: string[] = [];
    const handler = { message: (subject: string) => void heard.push(subject), gap: () => {} };
    await bus.subscribe("h.>", handler, new AbortController().signal);
    await server.kill();
    await server.startAgain();
    await expect.poll(() => bus.status(), { timeout: 10_000 }).toBe("connected");
    for (const subject of ["h.2", "h.3"]) {
      await expect.poll(() => bus.publish(subject, new Uint8Array(900))).toBe(true);
      await expect.poll(() => heard).toContain(subject);
    }
    await bus.stop();
  });

  test("what waits for the server is bounded; more is dropped and told, and later there is room again", async () => {
    const bus = busOf({ outgoingLimitBytes: 100_000 });
    await bus.start();
    const sent = Array.from({ length: 200 }, () => bus.publish("o.1", new Uint8Array(1_000)));
    expect(sent.filter((one) => one).length).toBeLessThanOrEqual(100);
    expect(sent.at(-1)).toBe(false);
    await expect.poll(() => bus.publish("o.1", new Uint8Array(1_000))).toBe(true);
    await bus.stop();
  });
});
