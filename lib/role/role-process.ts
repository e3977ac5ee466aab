import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "../core/clock.ts";
import type { Log, LogLevel } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { Startable } from "../core/startable.ts";
import { StartableList } from "../core/startable-list.ts";
import { runUntilSignal } from "../process/life-cycle.ts";
import { makeLogger } from "../process/logger.ts";
import type { MetricsServerOptions } from "../process/metrics-server.ts";
import { realClock } from "../process/real-clock.ts";
import { realRandom } from "../process/real-random.ts";
import { type RoleDescription, RoleServer, type RoleServerOptions } from "../transport/role-server.ts";
import type { RoleMetrics } from "./role-metrics.ts";

/** What every role's process can be told, whatever the role. */
export interface RoleProcessOptions {
  readonly logLevel: LogLevel;
  /** Where the role tells of itself; absent: nowhere. */
  readonly roleServer?: RoleServerOptions;
  /** Where its metrics can be scraped; absent: it measures nothing. */
  readonly metrics?: MetricsServerOptions;
  /** Told one line when the role works for the first time. */
  readonly announce: (line: string) => void;
}

/** What a role is made from. */
export interface RoleContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Unique on earth and per start, unless the role's instances have names. */
  readonly instance: string;
  readonly metrics?: RoleMetrics;
}

/** What a role's process consists of, and what it says of itself. */
export interface Role {
  /** Started in order, stopped in the opposite one. */
  readonly parts: readonly Startable[];
  describe(): Omit<RoleDescription, "role" | "instance"> | Promise<Omit<RoleDescription, "role" | "instance">>;
  /** What the role's server serves beside what all have. */
  addServices?(server: RoleServer): void;
}

/**
 * Runs one role as this process until a signal; resolves to the exit status. The role's server starts first and stops
 * last, so that a role that waits for others can be asked what for.
 */
export async function runRole(
  identity: { readonly role: string; readonly instance?: string },
  options: RoleProcessOptions,
  makeRole: (context: RoleContext) => Role | Promise<Role>,
): Promise<number> {
  const { role: name, instance = `${hostname()}_${randomUUID()}` } = identity;
  const log = makeLogger(options.logLevel).child({ role: name, instance });
  const metrics = options.metrics === undefined ? undefined : await makeMetrics();
  const parts = { clock: realClock, random: realRandom, log, instance };
  const context: RoleContext = { ...parts, ...(metrics === undefined ? {} : { metrics }) };
  const role = await makeRole(context);
  const servers: Startable[] = [];
  if (options.metrics !== undefined && metrics !== undefined) {
    const { MetricsServer } = await import("../process/metrics-server.ts");
    const problem = async () => (await role.describe()).detail;
    servers.push(new MetricsServer({ metrics: () => metrics.text(), problem }, options.metrics));
  }
  if (options.roleServer !== undefined) {
    const describe = async () => ({ role: name, instance, ...(await role.describe()) });
    const server = new RoleServer({ ...context, describe }, options.roleServer);
    role.addServices?.(server);
    servers.push(server);
  }
  return runUntilSignal(new StartableList([...servers, ...role.parts]), log);
}

/** The package behind it is loaded only where somebody wants to scrape. */
async function makeMetrics(): Promise<RoleMetrics> {
  const { RoleMetrics } = await import("./role-metrics.ts");
  return new RoleMetrics({ clock: realClock });
}

/** What a process ends with that must not go on as it is and may start again at once. */
const LOST_LEADERSHIP_EXIT_CODE = 75;

/** Ends the process of a leader that was overtaken (invariant 33): whoever supervises it starts it again. */
export function exitOnLostLeadership(log: Log): () => void {
  return () => {
    log.error("leadership was lost; the process ends");
    process.exit(LOST_LEADERSHIP_EXIT_CODE);
  };
}
