import type { Fence } from "../../../lib/client/api-client.ts";
import { methodNotSupported, pageNotFound } from "../../../lib/core/status-error.ts";
import type { Verb } from "../../../lib/resource/kind.ts";
import { FieldSelector, parseFieldSelector } from "../../../lib/resource/selector/field-selector.ts";
import type { AuthorizerList } from "../auth/authorizer.ts";
import type { Call, RequestVerb, SelectorTexts, Target } from "./request.ts";

/** Group and plural, as messages name a target. */
export function namedOf(target: Target): { group: string; resource: string } {
  return { group: target.kind.definition.group, resource: target.kind.definition.resource };
}

/** Rejects unless the caller may do this, and then unless the kind can do it. */
export async function authorize(
  authorizers: AuthorizerList,
  verb: RequestVerb,
  target: Target,
  call: Call,
  selectors?: SelectorTexts,
): Promise<void> {
  const { definition } = target.kind;
  const { namespace, subresource } = target;
  const { group, resource } = definition;
  const fieldSelector = selectors === undefined ? undefined : readable(selectors.field);
  // Who selects one name asks for one object, as far as rights go.
  const name = target.name || (fieldSelector?.exactValue("metadata.name") ?? "");
  const asked = { identity: call.identity, verb, group, resource, subresource, namespace, name, path: "" };
  await authorizers.check(fieldSelector === undefined ? asked : { ...asked, fieldSelector });
  const verbs = subresource === "" ? definition.verbs : subresourceVerbs(target);
  if (verbs === undefined) throw pageNotFound();
  if (!verbs.includes(verb as Verb)) throw methodNotSupported(namedOf(target), verb);
}

/** A fence tells its writer who holds a Lease: that is a read of it. */
export async function authorizeFence(authorizers: AuthorizerList, fence: Fence, call: Call): Promise<void> {
  const { namespace, name } = fence;
  const lease = { group: "coordination.k8s.io", resource: "leases", subresource: "", namespace, name };
  await authorizers.check({ identity: call.identity, verb: "get", path: "", ...lease });
}

/** A selector that cannot be read selects everything here; it is refused later, by whoever may list. */
function readable(text: string): FieldSelector {
  try {
    return parseFieldSelector(text);
  } catch {
    return FieldSelector.everything;
  }
}

function subresourceVerbs(target: Target): readonly string[] | undefined {
  return target.kind.definition.subresources.find(({ name }) => name === target.subresource)?.verbs;
}
