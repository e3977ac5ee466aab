import type { Attributes } from "./authorizer.ts";

/** What one rule of RBAC says; `*` means every one. `resources` are plurals or `plural/subresource`. */
export interface AccessRule {
  readonly verbs: readonly string[];
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  /** Only objects of these names; creates and lists that name nothing do not match. */
  readonly names?: readonly string[];
  /** Only in these namespaces. */
  readonly namespaces?: readonly string[];
}

/** Whether one of the rules allows what is asked. Source of the matching: kubernetes/pkg/apis/rbac/v1 (evaluation helpers). */
export function rulesAllow(rules: readonly AccessRule[], asked: Attributes): boolean {
  if (asked.path !== "") return false;
  return rules.some(
    (rule) =>
      has(rule.verbs, asked.verb) &&
      has(rule.groups, asked.group) &&
      coversResource(rule.resources, asked) &&
      (rule.names?.includes(asked.name) ?? true) &&
      (rule.namespaces?.includes(asked.namespace) ?? true),
  );
}

function has(allowed: readonly string[], value: string): boolean {
  return allowed.includes("*") || allowed.includes(value);
}

function coversResource(allowed: readonly string[], { resource, subresource }: Attributes): boolean {
  if (subresource === "") return has(allowed, resource);
  return has(allowed, `${resource}/${subresource}`) || allowed.includes(`*/${subresource}`);
}
