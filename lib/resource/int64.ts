/** A 64-bit integer in normal form: a number when that is exact, else a bigint. */
export type Int64 = number | bigint;
