import type { Subjects } from "../../../lib/events/subjects.ts";
import { type AuthorizerList, SYSTEM_MASTERS } from "../auth/authorizer.ts";
import { nodeNameOf } from "../auth/node-identity.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { Identity } from "../core/request.ts";

/**
 * The patterns that an identity may subscribe to: every stream of which it may list and watch all objects, of a node what is
 * the node's, and with either the heads; empty for whoever has none. Whoever may see only some objects of a kind follows by
 * watch, where each is judged.
 */
export async function busRights(
  components: { readonly kinds: KindTable; readonly authorizers: AuthorizerList },
  identity: Identity,
  subjects: Subjects,
): Promise<string[]> {
  if (identity.groups.includes(SYSTEM_MASTERS)) return [subjects.history()];
  const node = nodeNameOf(identity);
  const hears = node === undefined ? [] : [subjects.node(node)];
  for (const { storage } of components.kinds.stored()) {
    const { group, resource } = storage.definition;
    const whole = { identity, group, resource, subresource: "", namespace: "", name: "", path: "" };
    const { authorizers } = components;
    const isAllowed =
      (await authorizers.isAllowed({ ...whole, verb: "list" })) &&
      (await authorizers.isAllowed({ ...whole, verb: "watch" }));
    if (isAllowed) hears.push(subjects.stream({ group, resource }));
  }
  return hears.length === 0 ? [] : [subjects.heads(), ...hears];
}
