/** From the most to the least that is told. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Structured log: a constant sentence and keys. Secret values never go in. */
export interface Log {
  debug(message: string, keys?: Readonly<Record<string, unknown>>): void;
  info(message: string, keys?: Readonly<Record<string, unknown>>): void;
  warn(message: string, keys?: Readonly<Record<string, unknown>>): void;
  error(message: string, keys?: Readonly<Record<string, unknown>>): void;
  /** A log that adds `keys` to every line. */
  child(keys: Readonly<Record<string, unknown>>): Log;
}

/** Drops everything: for tests and tools. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child() {
    return silentLog;
  },
};
