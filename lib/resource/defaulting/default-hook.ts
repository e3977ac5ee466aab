import type { JsonObject } from "../json-value.ts";

/**
 * Computes defaults that rules cannot say. Gets the value of its message, which it changes in place, after the rules of
 * the message and of its fields; and, for the rare rule that asks what was sent, its members as they were before.
 */
export type DefaultHook = (value: JsonObject, asSent: Readonly<JsonObject>) => void;
