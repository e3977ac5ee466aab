/** Pod annotation that says how its containers behave on a simulated node: JSON, container name to `Behaviour` (or one per attempt). */
export const BEHAVIOUR_ANNOTATION = "simulated.keelson.dev/behaviour";

/** One attempt of a container as data. Everything has a default: start at once, print nothing, run until asked to stop. */
export interface Behaviour {
  /** StartContainer takes this long. */
  readonly startMs?: number;
  /** StartContainer fails with this text. */
  readonly startError?: string;
  /** Ends by itself after this long. */
  readonly runMs?: number;
  readonly exitCode?: number;
  /** Lines printed at its start. */
  readonly log?: readonly string[];
  /** A line that is printed again and again; `{n}` is its number. */
  readonly tick?: { readonly everyMs: number; readonly line: string };
  /** Time from SIGTERM to its end. */
  readonly stopMs?: number;
  readonly stopExitCode?: number;
  /** SIGTERM does nothing: only the end of grace stops it. */
  readonly ignoresTerm?: boolean;
  /** What it leaves in its termination message. */
  readonly terminationMessage?: string;
  /** Commands run in it end so; probes by exec see this. */
  readonly exec?: { readonly exitCode?: number; readonly stdout?: string };
}

export interface Timings {
  readonly sandboxMs: number;
  readonly createMs: number;
  readonly startMs: number;
  readonly stopMs: number;
  readonly pullMs: number;
}

export const NO_DELAYS: Timings = { sandboxMs: 0, createMs: 0, startMs: 0, stopMs: 0, pullMs: 0 };

/** What the annotation says of this attempt; the last entry of a list holds for all later attempts. Nonsense is `{}`. */
export function behaviourOf(
  annotations: Readonly<Record<string, string>>,
  container: string,
  attempt: number,
): Behaviour {
  const text = annotations[BEHAVIOUR_ANNOTATION];
  if (text === undefined) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return {};
  }
  if (!isRecord(parsed) || !Object.hasOwn(parsed, container)) return {};
  const entry = parsed[container];
  const chosen: unknown = Array.isArray(entry) ? entry[Math.min(attempt, entry.length - 1)] : entry;
  return isRecord(chosen) ? (chosen as Behaviour) : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
