import { type DestinationStream, type Logger, pino } from "pino";
import type { Log, LogLevel } from "../core/log.ts";

/** Members that may hold a secret never reach a line, whatever the caller passed. */
const REDACTED_PATHS = ["token", "*.token", "data", "*.data", "stringData", "*.stringData", "keyPem", "*.keyPem"];

/** JSON lines on `destination` (standard error by default). */
export function makeLogger(level: LogLevel, destination?: DestinationStream): Log {
  const options = {
    level,
    base: null,
    redact: REDACTED_PATHS,
    serializers: { error: errorText },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return wrap(pino(options, destination ?? pino.destination({ fd: 2, sync: true })));
}

function wrap(logger: Logger): Log {
  return {
    debug: (message, keys) => logger.debug(keys ?? {}, message),
    info: (message, keys) => logger.info(keys ?? {}, message),
    warn: (message, keys) => logger.warn(keys ?? {}, message),
    error: (message, keys) => logger.error(keys ?? {}, message),
    child: (keys) => wrap(logger.child(keys)),
  };
}

/** An Error as JSON has neither its message nor what caused it. */
function errorText(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const own = `${value.name}: ${value.message}`;
  return value.cause instanceof Error ? `${own}; caused by ${errorText(value.cause)}` : own;
}
