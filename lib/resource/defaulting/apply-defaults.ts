import type { JsonObject } from "../json-value.ts";
import type { MessageSchema } from "../schema.ts";
import { planOf, runPlan } from "./default-plan.ts";

/**
 * Fills in what the client left out, in place: the declared defaults of the message and of all its parts, then what their
 * hooks compute. `object` is in normal form and stays so. Doing it twice changes nothing more.
 */
export function applyDefaults(schema: MessageSchema, object: object): void {
  runPlan(planOf(schema), object as JsonObject);
}
