import { forbidden, type StatusError } from "../../../lib/core/status-error.ts";
import type { FieldSelector } from "../../../lib/resource/selector/field-selector.ts";
import type { Identity } from "../core/request.ts";

/** What is asked for; the shape that RBAC rules match on. */
export interface Attributes {
  readonly identity: Identity;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** For requests that are not about resources; empty otherwise. */
  readonly path: string;
  /** What a list, a watch or the deletion of a collection selects by fields; absent for other verbs. */
  readonly fieldSelector?: FieldSelector;
}

/** `undefined`: no opinion, the next one decides. `unseen`: none either, but what is in memory may be too old to see a reason. */
export type Verdict = "allow" | "deny" | "unseen" | undefined;

export interface Authorizer {
  readonly name: string;
  authorize(attributes: Attributes): Verdict;
}

/** Asks in order; the first opinion counts, and without one the answer is no. */
export class AuthorizerList {
  readonly #authorizers: readonly Authorizer[];
  readonly #refresh: (() => Promise<unknown>) | undefined;

  /** `refresh` brings what authorizers look at up to date; without it what they have counts. */
  constructor(authorizers: readonly Authorizer[], refresh?: () => Promise<unknown>) {
    this.#authorizers = authorizers;
    this.#refresh = refresh;
  }

  async isAllowed(attributes: Attributes): Promise<boolean> {
    let verdict = this.#ask(attributes);
    if (verdict === "unseen" && this.#refresh !== undefined) {
      await this.#refresh();
      verdict = this.#ask(attributes);
    }
    return verdict === "allow";
  }

  /** Throws 403 with the text that users know from upstream. */
  async check(attributes: Attributes): Promise<void> {
    if (!(await this.isAllowed(attributes))) throw denial(attributes);
  }

  #ask(attributes: Attributes): Verdict {
    let isUnseen = false;
    for (const authorizer of this.#authorizers) {
      const verdict = authorizer.authorize(attributes);
      if (verdict === "allow" || verdict === "deny") return verdict;
      isUnseen ||= verdict === "unseen";
    }
    return isUnseen ? "unseen" : undefined;
  }
}

/** The group that may do everything; source: kubernetes/apiserver:pkg/authentication/user. */
export const SYSTEM_MASTERS = "system:masters";
export const AUTHENTICATED = "system:authenticated";
export const UNAUTHENTICATED = "system:unauthenticated";

export const mastersAuthorizer: Authorizer = {
  name: "masters",
  authorize: ({ identity }) => (identity.groups.includes(SYSTEM_MASTERS) ? "allow" : undefined),
};

/** What the roles system:discovery, system:basic-user and system:public-info-viewer give everybody who has a name. */
export const basicUserAuthorizer: Authorizer = {
  name: "basic-user",
  authorize({ identity, verb, group, resource, path }) {
    if (!identity.groups.includes(AUTHENTICATED)) return undefined;
    if (path !== "") return verb === "get" && isDiscoveryPath(path) ? "allow" : undefined;
    return verb === "create" && group === "authentication.k8s.io" && resource === "selfsubjectreviews"
      ? "allow"
      : undefined;
  },
};

const DISCOVERY_TREES = ["/api", "/apis", "/openapi", "/healthz", "/livez", "/readyz", "/version"];

function isDiscoveryPath(path: string): boolean {
  return DISCOVERY_TREES.some((tree) => path === tree || path.startsWith(`${tree}/`));
}

function denial(attributes: Attributes): StatusError {
  const user = `User ${JSON.stringify(attributes.identity.user)}`;
  if (attributes.path !== "") {
    return forbidden(
      { group: "", resource: "" },
      "",
      `${user} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}`,
    );
  }
  const resource =
    attributes.subresource === "" ? attributes.resource : `${attributes.resource}/${attributes.subresource}`;
  const where =
    attributes.namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(attributes.namespace)}`;
  const why = `${user} cannot ${attributes.verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(attributes.group)} ${where}`;
  return forbidden({ group: attributes.group, resource: attributes.resource }, attributes.name, why);
}
