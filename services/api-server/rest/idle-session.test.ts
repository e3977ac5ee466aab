import { EventEmitter } from "node:events";
import type { ServerHttp2Session } from "node:http2";
import { expect, test } from "vitest";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import { closeWhenIdle } from "./idle-session.ts";

class FakeSession extends EventEmitter {
  destroyed = false;
  ended = "";

  close(): void {
    this.ended = "close";
    this.emit("close");
  }

  destroy(): void {
    this.ended = "destroy";
    this.emit("close");
  }
}

function start(): { clock: VirtualClock; session: FakeSession; request: () => EventEmitter } {
  const clock = new VirtualClock();
  const session = new FakeSession();
  closeWhenIdle(session as unknown as ServerHttp2Session, clock, { firstMs: 10, laterMs: 90 });
  const request = (): EventEmitter => {
    const stream = new EventEmitter();
    session.emit("stream", stream);
    return stream;
  };
  return { clock, session, request };
}

test("a session without a first request ends", async () => {
  const { clock, session } = start();
  await clock.advance(9);
  expect(session.ended).toBe("");
  await clock.advance(1);
  expect(session.ended).toBe("destroy");
  expect(clock.pendingTimers).toBe(0);
});

test("a session lives while any request does, and for its time after the last", async () => {
  const { clock, session, request } = start();
  const watch = request();
  request().emit("close");
  await clock.advance(3_600_000);
  expect(session.ended).toBe("");
  watch.emit("close");
  await clock.advance(89);
  const late = request();
  await clock.advance(500);
  late.emit("close");
  await clock.advance(89);
  expect(session.ended).toBe("");
  await clock.advance(1);
  expect(session.ended).toBe("close");
  expect(clock.pendingTimers).toBe(0);
});
