import type { ServerHttp2Session } from "node:http2";
import type { Clock, Timer } from "../../../lib/core/clock.ts";

export interface IdleLimits {
  /** From the connection to the end of its first request's headers. */
  readonly firstMs: number;
  /** From the end of the last request on. */
  readonly laterMs: number;
}

/** Closes an HTTP/2 session on which no request is open for too long; headers that never end are no request. */
export function closeWhenIdle(session: ServerHttp2Session, clock: Clock, limits: IdleLimits): void {
  let open = 0;
  let timer: Timer = clock.after(limits.firstMs, () => session.destroy());
  session.on("stream", (stream) => {
    timer.cancel();
    open++;
    stream.once("close", () => {
      open--;
      timer.cancel();
      if (open === 0 && !session.destroyed) timer = clock.after(limits.laterMs, () => session.close());
    });
  });
  session.once("close", () => timer.cancel());
}
