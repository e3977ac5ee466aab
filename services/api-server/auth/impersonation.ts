import { badRequest } from "../../../lib/core/status-error.ts";
import type { Identity } from "../core/request.ts";
import { AUTHENTICATED, type AuthorizerList, UNAUTHENTICATED } from "./authorizer.ts";

const USER = "impersonate-user";
const GROUP = "impersonate-group";
const UID = "impersonate-uid";
const EXTRA = "impersonate-extra-";
const ANONYMOUS_USER = "system:anonymous";

interface Wanted {
  user: string | undefined;
  uid: string | undefined;
  readonly groups: string[];
  readonly extra: Record<string, string[]>;
}

/**
 * The identity that a request is to be handled as. Each part of it must be allowed to who sends the request; without the
 * headers it is the sender. Source of the rules: k8s.io/docs/reference/access-authn-authz/user-impersonation.
 */
export async function impersonated(
  sender: Identity,
  rawHeaders: readonly string[],
  authorizers: Pick<AuthorizerList, "check">,
): Promise<Identity> {
  const wanted = wantedOf(rawHeaders);
  const { user, uid, groups, extra } = wanted;
  const isAsked = groups.length > 0 || uid !== undefined || Object.keys(extra).length > 0;
  if (user === undefined || user === "") {
    if (isAsked || user === "") throw badRequest("parts of an identity are impersonated without its user");
    return sender;
  }
  const check = (
    group: string,
    resource: string,
    name: string,
    more: { namespace?: string; subresource?: string } = {},
  ) =>
    authorizers.check({
      ...{ identity: sender, verb: "impersonate", path: "", group, resource, name },
      ...{ namespace: more.namespace ?? "", subresource: more.subresource ?? "" },
    });
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user);
  if (account === null) await check("", "users", user);
  else await check("", "serviceaccounts", account[2]!, { namespace: account[1]! });
  for (const group of groups) await check("", "groups", group);
  if (uid !== undefined) await check("authentication.k8s.io", "uids", uid);
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) await check("authentication.k8s.io", "userextras", value, { subresource: key });
  }
  const own = groups.length === 0 && account !== null ? accountGroups(account[1]!) : groups;
  const everybody = user === ANONYMOUS_USER ? UNAUTHENTICATED : AUTHENTICATED;
  const all = own.includes(everybody) ? own : [...own, everybody];
  return { user, groups: all, ...(uid === undefined ? {} : { uid }), extra };
}

function accountGroups(namespace: string): string[] {
  return ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
}

/** From the raw headers, since those that come several times must not be joined: a group may hold a comma. */
function wantedOf(rawHeaders: readonly string[]): Wanted {
  const wanted: Wanted = { user: undefined, uid: undefined, groups: [], extra: Object.create(null) };
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = rawHeaders[index + 1]!;
    if (!name.startsWith("impersonate-")) continue;
    if (name === USER || name === UID) {
      const member = name === USER ? "user" : "uid";
      if (wanted[member] !== undefined) throw badRequest(`${name} is given more than once`);
      wanted[member] = value;
    } else if (name === GROUP) {
      wanted.groups.push(value);
    } else if (name.startsWith(EXTRA)) {
      const key = decoded(name.slice(EXTRA.length));
      wanted.extra[key] = [...(wanted.extra[key] ?? []), value];
    } else {
      throw badRequest(`${name} is no header of impersonation`);
    }
  }
  return wanted;
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    throw badRequest("a header of impersonation is not valid");
  }
}
