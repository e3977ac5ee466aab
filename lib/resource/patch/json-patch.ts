import { cloneJson, isJsonObject, type JsonObject, type JsonValue, jsonEqual } from "../json-value.ts";
import { childOf, listIndex, parsePointer } from "./json-pointer.ts";
import { PatchError } from "./patch-error.ts";

/** As upstream's: kubernetes/apiserver:pkg/endpoints/handlers/patch.go. */
const OPERATIONS_LIMIT = 10_000;

export interface JsonPatchLimits {
  /** Bytes of JSON that `copy` operations may add in sum. */
  readonly copiedSizeBytes: number;
}

/** As upstream's limit for request bodies. */
const defaultLimits: JsonPatchLimits = { copiedSizeBytes: 3 * 1024 * 1024 };

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string;
  readonly value: JsonValue | undefined;
}

/**
 * JSON patch (RFC 6902), all operations, all or nothing. Neither argument is changed. Throws PatchError: `malformed` for
 * what is no patch, `too-large` for too many operations, `rejected` when one does not apply or a test fails.
 */
export function applyJsonPatch(current: JsonObject, patch: JsonValue, limits = defaultLimits): JsonObject {
  const document = new Document(cloneJson(current), limits);
  for (const operation of readOperations(patch)) document.apply(operation);
  if (!isJsonObject(document.root)) throw new PatchError("rejected", "the patched document is not an object");
  return document.root;
}

function readOperations(patch: JsonValue): Operation[] {
  if (!Array.isArray(patch)) {
    throw new PatchError("malformed", "error decoding patch: a JSON patch must be a list of operations");
  }
  if (patch.length > OPERATIONS_LIMIT) {
    const text = `The allowed maximum operations in a JSON patch is ${OPERATIONS_LIMIT}, got ${patch.length}`;
    throw new PatchError("too-large", text);
  }
  return patch.map((item, index) => {
    if (!isJsonObject(item)) throw new PatchError("malformed", `error decoding patch: operation ${index} is no object`);
    return {
      op: textMember(item, "op", index),
      path: textMember(item, "path", index),
      from: Object.hasOwn(item, "from") ? textMember(item, "from", index) : "",
      value: Object.hasOwn(item, "value") ? item["value"] : undefined,
    };
  });
}

function textMember(item: JsonObject, name: string, index: number): string {
  const value = Object.hasOwn(item, name) ? item[name] : undefined;
  if (typeof value === "string") return value;
  throw new PatchError("malformed", `error decoding patch: operation ${index} has no text in ${JSON.stringify(name)}`);
}

class Document {
  root: JsonValue;
  readonly #limits: JsonPatchLimits;
  #copiedSizeBytes = 0;

  constructor(root: JsonValue, limits: JsonPatchLimits) {
    this.root = root;
    this.#limits = limits;
  }

  apply({ op, path, from, value }: Operation): void {
    if (op === "add") this.#add(path, required(op, path, value));
    else if (op === "remove") this.#remove(path, op);
    else if (op === "replace") this.#replace(path, required(op, path, value));
    else if (op === "move") this.#move(from, path);
    else if (op === "copy") this.#copy(from, path);
    else if (op === "test") this.#test(path, value ?? null);
    else throw new PatchError("rejected", `Unexpected kind: ${op}`);
  }

  #find(path: string): JsonValue | undefined {
    let value: JsonValue | undefined = this.root;
    for (const token of parsePointer(path)) {
      if (value === undefined) return undefined;
      value = childOf(value, token);
    }
    return value;
  }

  /** The container of the last token; `what` names the operation in the error. */
  #parent(
    path: string,
    tokens: readonly string[],
    what: string,
  ): { container: JsonValue[] | JsonObject; token: string } {
    let value: JsonValue | undefined = this.root;
    for (const token of tokens.slice(0, -1)) value = value === undefined ? undefined : childOf(value, token);
    if (Array.isArray(value) || isJsonObject(value)) return { container: value, token: tokens.at(-1) as string };
    throw new PatchError("rejected", `${what} operation does not apply: doc is missing path: ${JSON.stringify(path)}`);
  }

  #add(path: string, value: JsonValue): void {
    const tokens = parsePointer(path);
    if (tokens.length === 0) {
      this.root = cloneJson(value);
      return;
    }
    const { container, token } = this.#parent(path, tokens, "add");
    if (!Array.isArray(container)) {
      container[token] = cloneJson(value);
      return;
    }
    const index = listIndex(token, container.length);
    if (index === undefined) throw badIndex("add", path);
    container.splice(index, 0, cloneJson(value));
  }

  #replace(path: string, value: JsonValue): void {
    const tokens = parsePointer(path);
    if (tokens.length === 0) {
      this.root = cloneJson(value);
      return;
    }
    const { container, token } = this.#parent(path, tokens, "replace");
    if (childOf(container, token) === undefined) throw missing("replace", path);
    if (Array.isArray(container)) container[Number(token)] = cloneJson(value);
    else container[token] = cloneJson(value);
  }

  #remove(path: string, what: string): JsonValue {
    const tokens = parsePointer(path);
    if (tokens.length === 0) throw new PatchError("rejected", `${what} operation does not apply: the whole document`);
    const { container, token } = this.#parent(path, tokens, what);
    const value = childOf(container, token);
    if (value === undefined) throw missing(what, path);
    if (Array.isArray(container)) container.splice(Number(token), 1);
    else delete container[token];
    return value;
  }

  #move(from: string, path: string): void {
    if (path.startsWith(`${from}/`)) {
      throw new PatchError(
        "rejected",
        `move operation does not apply: ${JSON.stringify(path)} lies inside what is moved`,
      );
    }
    this.#add(path, this.#remove(from, "move"));
  }

  #copy(from: string, path: string): void {
    const value = this.#find(from);
    if (value === undefined) throw missing("copy", from);
    this.#copiedSizeBytes += sizeOf(value);
    if (this.#copiedSizeBytes > this.#limits.copiedSizeBytes) {
      const text = `Unable to complete the copy, the accumulated size increase of copy is ${this.#copiedSizeBytes}, exceeding the limit ${this.#limits.copiedSizeBytes}`;
      throw new PatchError("rejected", text);
    }
    this.#add(path, value);
  }

  #test(path: string, expected: JsonValue): void {
    const actual = this.#find(path);
    if (!jsonEqual(actual ?? null, expected))
      throw new PatchError("rejected", `testing value ${path} failed: test failed`);
  }
}

function required(op: string, path: string, value: JsonValue | undefined): JsonValue {
  if (value !== undefined) return value;
  throw new PatchError("malformed", `error decoding patch: ${op} operation on ${JSON.stringify(path)} has no value`);
}

function missing(what: string, path: string): PatchError {
  const text = `${what} operation does not apply: doc is missing key: ${path}: missing value`;
  return new PatchError("rejected", text);
}

function badIndex(what: string, path: string): PatchError {
  return new PatchError(
    "rejected",
    `${what} operation does not apply: ${JSON.stringify(path)}: invalid index referenced`,
  );
}

/** About the length of the value's JSON text. */
function sizeOf(value: JsonValue): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return String(value).length;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item) + 1, 2);
  let sum = 2;
  for (const name of Object.keys(value)) sum += name.length + 4 + sizeOf(value[name] as JsonValue);
  return sum;
}
