import { methodNotSupported, pageNotFound } from "../../../lib/core/status-error.ts";
import type { Verb } from "../../../lib/resource/kind.ts";
import type { AuthorizerList } from "../auth/authorizer.ts";
import type { Call, RequestVerb, Target } from "./request.ts";

/** Group and plural, as messages name a target. */
export function namedOf(target: Target): { group: string; resource: string } {
  return { group: target.kind.definition.group, resource: target.kind.definition.resource };
}

/** Throws unless the caller may do this, and then unless the kind can do it. */
export function authorize(authorizers: AuthorizerList, verb: RequestVerb, target: Target, call: Call): void {
  const { definition } = target.kind;
  const { namespace, name, subresource } = target;
  const { group, resource } = definition;
  authorizers.check({ identity: call.identity, verb, group, resource, subresource, namespace, name, path: "" });
  const verbs = subresource === "" ? definition.verbs : subresourceVerbs(target);
  if (verbs === undefined) throw pageNotFound();
  if (!verbs.includes(verb as Verb)) throw methodNotSupported(namedOf(target), verb);
}

function subresourceVerbs(target: Target): readonly string[] | undefined {
  return target.kind.definition.subresources.find(({ name }) => name === target.subresource)?.verbs;
}
