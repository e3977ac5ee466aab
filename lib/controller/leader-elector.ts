import type { ApiClient, Fence } from "../client/api-client.ts";
import { type Clock, formatMicroTime } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type { Startable } from "../core/startable.ts";
import { asStatusError } from "../core/status-error.ts";
import type { Lease } from "../gen/k8s/coordination/v1.ts";
import { leases } from "../gen/k8s/resources.ts";

export interface LeaseTimes {
  /** Others wait this long after the last renewal they saw. */
  readonly leaseDurationMs?: number;
  /** Without a renewal for this long the leader stops; less than the lease's duration. */
  readonly renewDeadlineMs?: number;
  /** The leader renews at this pace; who would like to lead looks twice as often. */
  readonly retryPeriodMs?: number;
}

export interface LeaderElectionOptions extends LeaseTimes {
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Unique per process start: two processes with one identity would both lead. */
  readonly identity: string;
  /** Told when leadership is lost, not after `stop`: a process of one role exits here. */
  readonly onLost?: () => void;
}

/** Work of a leader: until `signal` is aborted, with every write fenced. Leadership is left when it has settled. */
export type Lead = (fence: Fence, signal: AbortSignal) => Promise<void>;

const NOT_FOUND = 404;
const CONFLICT = 409;
const RELEASED_DURATION_SECONDS = 1;

/**
 * At most one holder of a Lease works at a time. Whoever has not renewed within the deadline stops by its own monotonic
 * clock, before anyone else may begin; what it still sends then fails by the fence. Defaults: 12 s, 9 s, 2 s
 * (docs/decisions/0013-failover-times.md).
 */
export class LeaderElector implements Startable {
  private readonly components: { api: ApiClient; clock: Clock; random: Random; log: Log };
  private readonly options: Required<Omit<LeaderElectionOptions, "onLost">> & LeaderElectionOptions;
  private readonly lead: Lead;
  private readonly stopper = new AbortController();
  private running: Promise<void> | undefined;
  /** The lease as last seen, and when by our clock: other machines' clocks are never compared. */
  private observed: { readonly record: string; readonly atMs: number; readonly durationMs: number } | undefined;
  /** `lease`: as we wrote it last; absent when it may have changed since. */
  private held: { readonly fence: Fence; renewedMs: number; lease: Lease | undefined } | undefined;

  constructor(
    components: { api: ApiClient; clock: Clock; random: Random; log: Log },
    options: LeaderElectionOptions,
    lead: Lead,
  ) {
    this.components = { ...components, log: components.log.child({ lease: options.name, identity: options.identity }) };
    this.options = { leaseDurationMs: 12_000, renewDeadlineMs: 9_000, retryPeriodMs: 2_000, ...options };
    this.lead = lead;
  }

  get leading(): boolean {
    return this.held !== undefined;
  }

  async start(): Promise<void> {
    this.running ??= this.run();
  }

  /** Ends the work, gives the lease back, so that a successor begins at once. */
  async stop(): Promise<void> {
    this.stopper.abort(new Error("leader election was stopped"));
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopper;
    while (!signal.aborted) {
      if (await this.attempt(signal)) await this.term();
      if (!signal.aborted) await this.untilNextLook(signal);
    }
  }

  /** Until the lease may be free: right when the one that was seen ends, or when it may have been given back. */
  private async untilNextLook(signal: AbortSignal): Promise<void> {
    const { clock } = this.components;
    const { atMs, durationMs } = this.observed ?? { atMs: 0, durationMs: 0 };
    const leftMs = atMs + durationMs - clock.monotonicMs();
    const pauseMs = this.options.retryPeriodMs / 2;
    if (leftMs > 0 && leftMs <= pauseMs) await clock.sleep(leftMs, signal).catch(() => {});
    else await this.pause(pauseMs, signal);
  }

  /** From winning to losing or stopping. */
  private async term(): Promise<void> {
    const { log } = this.components;
    const { held } = this;
    if (held === undefined) return;
    log.info("leading", { transitions: held.fence.transitions });
    const ended = new AbortController();
    const end = () => ended.abort(this.stopper.signal.reason);
    this.stopper.signal.addEventListener("abort", end, { once: true });
    if (this.stopper.signal.aborted) end();
    const work = this.lead(held.fence, ended.signal).catch((error: unknown) => {
      log.error("the leader's work failed", { error: String(error) });
    });
    await Promise.race([this.renew(ended), work]);
    ended.abort(new Error("leadership ended"));
    const lost = this.held === undefined;
    if (lost) {
      log.warn("leadership was lost");
      // Before the work has ended, which may wait long for answers of the same API.
      this.options.onLost?.();
    }
    await work;
    this.stopper.signal.removeEventListener("abort", end);
    if (!lost) await this.release(held.fence);
    this.held = undefined;
  }

  /** Renews until the deadline passes without success, or the term ends. */
  private async renew(ended: AbortController): Promise<void> {
    const { clock } = this.components;
    const lose = () => {
      this.held = undefined;
      ended.abort(new Error("the renew deadline has passed"));
    };
    const { renewDeadlineMs, retryPeriodMs } = this.options;
    let deadline = clock.after(renewDeadlineMs, lose);
    let attemptMs = 0;
    try {
      while (!ended.signal.aborted) {
        // An attempt that hung has used up its pause: what is left of the deadline is for another.
        if (attemptMs < retryPeriodMs) await this.pause(retryPeriodMs - attemptMs, ended.signal);
        if (ended.signal.aborted) return;
        const beganMs = clock.monotonicMs();
        const renewed = await Promise.race([this.attempt(ended.signal), aborted(ended.signal)]);
        attemptMs = clock.monotonicMs() - beganMs;
        if (renewed !== true || this.held === undefined) continue;
        deadline.cancel();
        const leftMs = renewDeadlineMs - (clock.monotonicMs() - this.held.renewedMs);
        deadline = clock.after(leftMs, lose);
      }
    } finally {
      deadline.cancel();
    }
  }

  /**
   * Takes or renews the lease; true when it is ours. Whatever fails is tried again later. A success that comes after
   * `signal` counts for nothing: the work that it was for has ended.
   */
  private async attempt(signal: AbortSignal): Promise<boolean> {
    const { api, clock, log } = this.components;
    const startedMs = clock.monotonicMs();
    const written = this.held?.lease;
    // Whatever becomes of this attempt, only its success tells how the lease is then.
    if (this.held !== undefined) this.held.lease = undefined;
    try {
      const found = written ?? (await this.read());
      if (found === undefined) return this.hold(await api.create(leases, this.draft(undefined, 0)), startedMs, signal);
      const transitions = this.transitionsIfFree(found);
      if (transitions === undefined) return false;
      return this.hold(await api.update(leases, this.draft(found, transitions)), startedMs, signal);
    } catch (thrown) {
      const error = asStatusError(thrown);
      // Somebody else wrote it: what it says now decides.
      if (written !== undefined && error.code === CONFLICT) return this.attempt(signal);
      log.debug("taking or renewing the lease failed", { error: error.message, cause: String(error.cause ?? "") });
      return false;
    }
  }

  private async read(): Promise<Lease | undefined> {
    const { namespace, name } = this.options;
    try {
      return await this.components.api.get(leases, { namespace, name });
    } catch (thrown) {
      if (asStatusError(thrown).code === NOT_FOUND) return undefined;
      throw thrown;
    }
  }

  /** The transition count under which we may write the lease; undefined while another holds it. */
  private transitionsIfFree(found: Lease): number | undefined {
    const { clock } = this.components;
    const { holderIdentity = "", leaseDurationSeconds = 0, renewTime = "", leaseTransitions = 0 } = found.spec ?? {};
    const record = JSON.stringify([holderIdentity, renewTime, leaseTransitions, leaseDurationSeconds]);
    if (this.observed?.record !== record) {
      this.observed = { record, atMs: clock.monotonicMs(), durationMs: Number(leaseDurationSeconds) * 1_000 };
    }
    if (this.held !== undefined) {
      const { holder, transitions } = this.held.fence;
      return holderIdentity === holder && leaseTransitions === transitions ? transitions : undefined;
    }
    const expired = clock.monotonicMs() - this.observed.atMs >= this.observed.durationMs;
    return holderIdentity === "" || expired ? leaseTransitions + 1 : undefined;
  }

  private hold(lease: Lease, startedMs: number, signal: AbortSignal): boolean {
    if (signal.aborted) return false;
    const { namespace, name, identity } = this.options;
    const transitions = lease.spec?.leaseTransitions ?? 0;
    const fence = this.held?.fence ?? { namespace, name, holder: identity, transitions };
    this.held = { fence, renewedMs: startedMs, lease };
    return true;
  }

  private draft(found: Lease | undefined, transitions: number): Lease {
    const { namespace, name, identity, leaseDurationMs } = this.options;
    const now = formatMicroTime(this.components.clock.nowMs());
    const renews = this.held !== undefined && found?.spec?.acquireTime !== undefined;
    return {
      ...found,
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: found?.metadata ?? { name, namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000),
        acquireTime: renews ? (found?.spec?.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: transitions,
      },
    };
  }

  private async release(fence: Fence): Promise<void> {
    const { api, log } = this.components;
    const { namespace, name } = this.options;
    const spec = { holderIdentity: null, leaseDurationSeconds: RELEASED_DURATION_SECONDS };
    try {
      await api.patch(leases, { namespace, name }, { type: "merge", body: { spec } }, { fence });
    } catch (thrown) {
      log.debug("the lease could not be given back", { error: asStatusError(thrown).message });
    }
  }

  private async pause(atLeastMs: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.components;
    await clock.sleep(atLeastMs * (1 + 0.2 * random.float()), signal).catch(() => {});
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
