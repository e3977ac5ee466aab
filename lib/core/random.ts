/** The only source of randomness. */
export interface Random {
  /** A version 4 UUID. */
  uuid(): string;
  /** `length` characters of the alphabet that Kubernetes uses for generated names (no vowels, no look-alikes). */
  suffix(length: number): string;
  /** A number in [0, 1). */
  float(): number;
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array;
}

/** Alphabet of generated names; source: kubernetes/apimachinery:pkg/util/rand. */
export const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
