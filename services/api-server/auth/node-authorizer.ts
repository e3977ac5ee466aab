import { rulesAllow } from "./access-rule.ts";
import type { Attributes, Authorizer, Verdict } from "./authorizer.ts";
import { nodeNameOf } from "./node-identity.ts";
import type { NodeView } from "./node-view.ts";
import { NODE_RULES } from "./role-rules.ts";

const READS = new Set(["get", "list", "watch"]);
const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_VERBS = new Set(["get", "create", "update", "patch", "delete"]);

type Rule = (node: string, asked: Attributes, view: NodeView) => Verdict;

/** A list or watch has a name here when its field selector fixes it. */
const referenced: Rule = (node, asked, view) => {
  if (!READS.has(asked.verb) || asked.subresource !== "" || asked.name === "") return undefined;
  return seen(view.refersTo(node, asked.resource, asked.namespace, asked.name));
};

const gotten: Rule = (node, asked, view) => (asked.verb === "get" ? referenced(node, asked, view) : undefined);

const ownNode: Rule = (node, asked) => {
  if (asked.verb === "create" && asked.subresource === "") return "allow";
  if (!rulesAllow(NODE_RULES, asked)) return undefined;
  return asked.name === node ? "allow" : undefined;
};

/** Writes are allowed as a whole: what they say of whose pod is looked at by admission, which sees the object. */
const ownPods: Rule = (node, asked, view) => {
  if (!rulesAllow(NODE_RULES, asked)) return undefined;
  switch (asked.verb) {
    case "list":
    case "watch":
      if (asked.fieldSelector?.exactValue("spec.nodeName") === node) return "allow";
      return asked.name !== "" && asked.namespace !== ""
        ? seen(view.hasPod(node, asked.namespace, asked.name))
        : undefined;
    case "get":
      return seen(view.hasPod(node, asked.namespace, asked.name));
    default:
      return "allow";
  }
};

const accounts: Rule = (node, asked, view) => {
  const isToken = asked.verb === "create" && asked.subresource === "token";
  const isGet = asked.verb === "get" && asked.subresource === "";
  if (!isToken && !isGet) return undefined;
  return seen(view.refersTo(node, "serviceaccounts", asked.namespace, asked.name));
};

/** A create says its name only in the object: admission compares it. */
const ownLease: Rule = (node, asked) => {
  if (asked.namespace !== LEASE_NAMESPACE || asked.subresource !== "" || !LEASE_VERBS.has(asked.verb)) return undefined;
  return asked.verb === "create" || asked.name === node ? "allow" : undefined;
};

/** `group/resource`: what is judged by the node that asks; everything else is by `NODE_RULES` alone. */
const RULES: Readonly<Record<string, Rule>> = {
  "/secrets": referenced,
  "/configmaps": referenced,
  "/persistentvolumeclaims": gotten,
  "/persistentvolumes": gotten,
  "/serviceaccounts": accounts,
  "/nodes": ownNode,
  "/pods": ownPods,
  "coordination.k8s.io/leases": ownLease,
};

/**
 * What the node `system:node:NAME` of group `system:nodes` may do: its Node, its Lease, its pods, and what its pods refer
 * to. Facts: k8s.io/docs/reference/access-authn-authz/node, KEP-4601.
 */
export function nodeAuthorizer(view: NodeView): Authorizer {
  return {
    name: "node",
    authorize(asked) {
      const node = nodeNameOf(asked.identity);
      if (node === undefined || asked.path !== "") return undefined;
      const rule = RULES[`${asked.group}/${asked.resource}`];
      if (rule !== undefined) return rule(node, asked, view);
      return rulesAllow(NODE_RULES, asked) ? "allow" : undefined;
    },
  };
}

/** A pod that was bound a moment ago may not be in memory yet. */
function seen(found: boolean): Verdict {
  return found ? "allow" : "unseen";
}
