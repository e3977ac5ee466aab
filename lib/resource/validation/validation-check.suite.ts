import { expect } from "vitest";
import { kindDescriptors } from "../../gen/k8s/descriptors.ts";
import { applyDefaults } from "../defaulting/apply-defaults.ts";
import type { ResourceDefinition } from "../kind.ts";
import { loadRegistry } from "../registry.ts";
import { validateCreate, validateUpdate } from "./validate.ts";

const registry = loadRegistry(kindDescriptors);

function definitionOf(kind: string): ResourceDefinition {
  const found = registry.resources().find((one) => one.kind === kind && one.group !== "events.k8s.io");
  if (found === undefined) throw new Error(`no kind ${kind}`);
  return found;
}

export interface Sent {
  readonly metadata?: object;
  readonly [member: string]: unknown;
}

function completed(kind: string, { metadata, ...rest }: Sent): Sent {
  const definition = definitionOf(kind);
  const object = structuredClone({
    metadata: { name: "web", ...(definition.namespaced ? { namespace: "default" } : {}), ...metadata },
    ...rest,
  });
  applyDefaults(definition.schema, object);
  return object;
}

/** `reason field: message`, with the common prefix of reasons left out. */
export function created(kind: string, object: Sent): string[] {
  return validateCreate(definitionOf(kind), completed(kind, object)).map(shown);
}

export function updated(kind: string, old: Sent, object: Sent, subresource = ""): string[] {
  return validateUpdate(definitionOf(kind), completed(kind, object), completed(kind, old), subresource).map(shown);
}

function shown(cause: { reason: string; message: string; field?: string }): string {
  return `${cause.reason.replace("FieldValue", "")} ${cause.field}: ${cause.message}`;
}

export type Case = [name: string, kind: string, object: Sent, violations: (string | RegExp)[]];

export function check(actual: readonly string[], expected: readonly (string | RegExp)[]): void {
  expect(actual).toEqual(expected.map((one) => (typeof one === "string" ? one : expect.stringMatching(one))));
}
