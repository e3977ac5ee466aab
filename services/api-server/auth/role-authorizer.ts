import { rulesAllow } from "./access-rule.ts";
import type { Authorizer } from "./authorizer.ts";
import { ROLE_GRANTS, type RoleGrant } from "./role-rules.ts";

/** Allows what the grants of the user and of its groups allow; has no opinion about anything else. */
export function roleAuthorizer(grants: readonly RoleGrant[] = ROLE_GRANTS): Authorizer {
  return {
    name: "roles",
    authorize(asked) {
      const { user, groups } = asked.identity;
      const isGranted = grants.some(
        (grant) =>
          (grant.user === user || (grant.group !== undefined && groups.includes(grant.group))) &&
          rulesAllow(grant.rules, asked),
      );
      return isGranted ? "allow" : undefined;
    },
  };
}
