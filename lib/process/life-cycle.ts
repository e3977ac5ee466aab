import type { Log } from "../core/log.ts";
import type { Startable } from "../core/startable.ts";

/** How long an orderly stop may take before the process ends anyway. */
const STOP_LIMIT_MS = 20_000;

/**
 * Runs `component` until SIGTERM or SIGINT, also while it still starts, then stops it and resolves to the exit status. An
 * error nobody handled is logged and ends the process with status 1: what runs on after one is in an unknown state.
 * Rejects when the component cannot start.
 */
export async function runUntilSignal(component: Startable, log: Log): Promise<number> {
  const fail = (error: unknown) => {
    log.error("error that nobody handled; the process ends", { error: describeError(error) });
    process.exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  const asked = new Promise<string>((resolve) => {
    process.once("SIGTERM", () => resolve("SIGTERM"));
    process.once("SIGINT", () => resolve("SIGINT"));
  });
  const started = component.start();
  const failed = started.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  const signal = await Promise.race([asked, failed]);
  log.info("stopping", { signal });
  const limit = setTimeout(() => {
    const heldBy = process.getActiveResourcesInfo();
    log.error("the stop takes too long; the process ends", { limitMs: STOP_LIMIT_MS, heldBy });
    process.exit(1);
  }, STOP_LIMIT_MS);
  await component.stop();
  // It holds for what a component forgot to close, too: that would keep the process alive for ever.
  limit.unref();
  log.info("stopped");
  return 0;
}

/** The error's chain of causes as text, the outermost first. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current !== undefined && parts.length < 8; ) {
    parts.push(current instanceof Error ? (current.stack ?? current.message) : String(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join("\ncaused by: ");
}
