import { DecodeError } from "./decode-error.ts";

/** A JSON number that is no integer literal but may have an integer's value (`1.0`, `1e3`): refused for integers. */
export class NumberLiteral {
  readonly source: string;
  readonly value: number;

  constructor(source: string, value: number) {
    this.source = source;
    this.value = value;
  }
}

export interface ScannedText {
  /** Colons outside strings: as many as members written, duplicates included. */
  readonly colons: number;
  /** Whether numbers or escapes need more than JSON.parse gives. */
  readonly needsCare: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
/** Digits in a row that may not fit a double. */
const LONG_NUMBER_DIGITS = 16;

/**
 * One pass over JSON for what JSON.parse does not tell: depth, number of members, numbers that lose digits, escapes that
 * may be half a surrogate pair. It need not be valid. Bytes are faster than a string here.
 */
export function scanText(json: Uint8Array | string, maxDepth: number): ScannedText {
  const bytes = typeof json === "string" ? Buffer.from(json) : json;
  const { length } = bytes;
  let colons = 0;
  let depth = 0;
  let digits = 0;
  let needsCare = false;
  for (let index = 0; index < length; index++) {
    const byte = bytes[index]!;
    if (byte === QUOTE) {
      index++;
      for (let inner = bytes[index]; inner !== QUOTE && index < length; inner = bytes[++index]) {
        if (inner === BACKSLASH) {
          index++;
          needsCare ||= isSurrogateEscape(bytes, index);
        }
      }
      digits = 0;
    } else if (byte === COLON) {
      colons += 1;
    } else if (byte === COMMA) {
      digits = 0;
    } else if (byte >= 0x30 && byte <= 0x39) {
      digits += 1;
      needsCare ||= digits >= LONG_NUMBER_DIGITS;
    } else {
      depth += nesting(byte);
      // A point or an exponent, right after a digit.
      needsCare ||= digits > 0 && (byte === 0x2e || (byte | 0x20) === 0x65);
      digits = 0;
      if (depth > maxDepth) {
        throw new DecodeError(`nested deeper than ${maxDepth} levels`);
      }
    }
  }
  return { colons, needsCare };
}

/** Braces and brackets differ in one bit only. */
function nesting(byte: number): number {
  const bracket = byte | 0x20;
  return bracket === 0x7b ? 1 : bracket === 0x7d ? -1 : 0;
}

/** `\ud...`, after its backslash. */
function isSurrogateEscape(bytes: Uint8Array, index: number): boolean {
  return bytes[index] === 0x75 && ((bytes[index + 1] ?? 0) | 0x20) === 0x64;
}

const INTEGER = /^-?\d+$/;

function careful(key: string, value: unknown, context: { source?: string }): unknown {
  if (!key.isWellFormed() || (typeof value === "string" && !value.isWellFormed())) {
    throw new DecodeError("invalid JSON: a string holds half a surrogate pair");
  }
  if (typeof value !== "number") {
    return value;
  }
  const source = context.source ?? "";
  if (!Number.isFinite(value)) {
    throw new DecodeError("invalid JSON: a number is out of range");
  }
  if (!INTEGER.test(source)) {
    return new NumberLiteral(source, value);
  }
  return Number.isSafeInteger(value) ? value : BigInt(source);
}

type CarefulParse = (text: string, reviver: typeof careful) => unknown;

/** JSON.parse with a DecodeError that gives the place and not the text around it, which may be secret. */
export function parseText(text: string, needsCare: boolean): unknown {
  try {
    return needsCare ? (JSON.parse as CarefulParse)(text, careful) : JSON.parse(text);
  } catch (error) {
    if (error instanceof DecodeError) {
      throw error;
    }
    const place =
      error instanceof SyntaxError ? /at position \d+(?: \(line \d+ column \d+\))?/.exec(error.message) : null;
    throw new DecodeError(place === null ? "invalid JSON" : `invalid JSON ${place[0]}`);
  }
}
