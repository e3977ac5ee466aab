import { SUFFIX_ALPHABET } from "../../../lib/core/random.ts";
import type { PodTemplateSpec } from "../../../lib/gen/k8s/core/v1.ts";

export const HASH_LABEL = "pod-template-hash";

/**
 * A short name for a template, equal for equal templates, in letters that names of Kubernetes use. `collisions` gives
 * another when the first is taken by a different template. Values need not be upstream's: a ReplicaSet is found by its
 * template, not by this.
 */
export function templateHash(template: PodTemplateSpec, collisions: number): string {
  const text = `${canonical(template)}${collisions === 0 ? "" : collisions}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return [...String(hash >>> 0)].map((digit) => SUFFIX_ALPHABET[digit.charCodeAt(0) % SUFFIX_ALPHABET.length]).join("");
}

/** Whether two templates are the same but for the hash label. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return canonical(withoutHash(a)) === canonical(withoutHash(b));
}

export function withHash(template: PodTemplateSpec, hash: string): PodTemplateSpec {
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  return { ...template, metadata: { ...template.metadata, labels } };
}

function withoutHash(template: PodTemplateSpec = {}): PodTemplateSpec {
  const { [HASH_LABEL]: _hash, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (typeof member === "bigint") return String(member);
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
