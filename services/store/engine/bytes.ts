/** Key bytes as the index holds them: one character per byte, so that string order is byte order. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** Bytes with a buffer of their own. */
export function keyBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** A key range in index form: `to` undefined means to the end. */
export interface TextRange {
  readonly from: string;
  readonly to: string | undefined;
}

/** A single key is the range up to its immediate successor. */
export function textRange(key: Uint8Array, rangeEnd: Uint8Array | undefined): TextRange {
  const from = keyText(key);
  if (rangeEnd === undefined || rangeEnd.length === 0) return { from, to: `${from}\0` };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from, to: undefined };
  return { from, to: keyText(rangeEnd) };
}

export function isSingleKey(rangeEnd: Uint8Array | undefined): boolean {
  return rangeEnd === undefined || rangeEnd.length === 0;
}

export function inRange(text: string, range: TextRange): boolean {
  return text >= range.from && (range.to === undefined || text < range.to);
}
