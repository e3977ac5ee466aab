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

const SURROGATE = /[\ud800-\udfff]/;

function compareUtf8(left: string, right: string): number {
  if (SURROGATE.test(left) || SURROGATE.test(right)) {
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  }
  return left < right ? -1 : left > right ? 1 : 0;
}
