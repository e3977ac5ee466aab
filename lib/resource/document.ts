import { createHash } from "node:crypto";

/** A document that is made once and sent as it is; `etag` is the value of the header, with its quotes. */
export interface Document {
  readonly body: Uint8Array;
  readonly etag: string;
}

/** Hashing is pure: the same text always gives the same document. */
export function documentOf(text: string | Uint8Array): Document {
  const body = typeof text === "string" ? Buffer.from(text) : text;
  return { body, etag: `"${hashOf(body)}"` };
}

/** SHA-512 in upper-case hex, cut to 64 digits. */
export function hashOf(body: Uint8Array): string {
  return createHash("sha512").update(body).digest("hex").slice(0, 64).toUpperCase();
}

/** Keeps documents until the registry has grown. `generation` tells one state of it from the next. */
export class DocumentCache {
  readonly #documents = new Map<string, Document>();
  #generation = -1;

  get(key: string, generation: number, make: () => string | Uint8Array): Document {
    if (generation !== this.#generation) {
      this.#documents.clear();
      this.#generation = generation;
    }
    const known = this.#documents.get(key);
    if (known !== undefined) return known;
    const document = documentOf(make());
    this.#documents.set(key, document);
    return document;
  }
}
