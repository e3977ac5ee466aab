/** Whether a name can be part of a key without meaning another one. */
export function isSafeName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && name.length <= 253 && !/[/%\0]/.test(name);
}
