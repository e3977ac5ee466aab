import { type Clock, formatTime } from "../../../lib/core/clock.ts";
import { badRequest } from "../../../lib/core/status-error.ts";
import type { ServiceAccountTokens } from "../auth/service-account-tokens.ts";
import { textAt, valueAt } from "../core/kube-object.ts";
import type { Identity } from "../core/request.ts";
import type { ReviewHandler } from "../core/resource-core.ts";

/** `selfsubjectreviews`: who the server takes the caller for. */
export function selfSubjectReview(clock: Clock): ReviewHandler {
  return async (_target, object, call) => ({
    ...object,
    metadata: { ...object.metadata, creationTimestamp: formatTime(clock.nowMs()) },
    status: { userInfo: userInfo(call.identity) },
  });
}

/** `tokenreviews`: whom a token names. */
export function tokenReview(tokens: ServiceAccountTokens): ReviewHandler {
  return async (_target, object) => {
    const token = textAt(object, "spec", "token");
    if (token === "") throw badRequest("token is required for TokenReview in authentication");
    const asked = valueAt(object, "spec", "audiences");
    const audiences = Array.isArray(asked) && asked.length > 0 ? asked.map(String) : [tokens.apiAudience];
    const verified = await tokens.verify(token, audiences);
    if (verified === undefined) return { ...object, status: { error: "the token is not valid" } };
    const status = { authenticated: true, user: userInfo(verified.identity), audiences: [...verified.audiences] };
    return { ...object, status };
  };
}

function userInfo(identity: Identity): Record<string, unknown> {
  return {
    username: identity.user,
    ...(identity.uid === undefined ? {} : { uid: identity.uid }),
    groups: [...identity.groups],
    ...(identity.extra === undefined ? {} : { extra: { ...identity.extra } }),
  };
}
