/**
 * A map whose keys come from users (labels, annotations, data). It has no Object.prototype behind it, so `constructor`
 * and `__proto__` are keys like others; made by a constructor, unlike Object.create(null), it keeps the engine's fast form.
 */
export const UserMap = function UserMap() {} as unknown as new <T>() => Record<string, T>;
Object.defineProperty(UserMap, "prototype", { value: Object.freeze(Object.create(null)), writable: false });

/** Keys in the order of their UTF-8 bytes, which both encodings write. */
export function sortedKeys(map: object): string[] {
  const keys = Object.keys(map);
  for (let index = 1; index < keys.length; index++) {
    if (compareUtf8(keys[index - 1]!, keys[index]!) > 0) {
      return keys.sort(compareUtf8);
    }
  }
  return keys;
}

/** UTF-16 puts surrogates, which stand for the highest characters, below U+E000 to U+FFFF; UTF-8 puts them above. */
function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const one = left.charCodeAt(index);
    const other = right.charCodeAt(index);
    if (one !== other) {
      return rank(one) - rank(other);
    }
  }
  return left.length - right.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
