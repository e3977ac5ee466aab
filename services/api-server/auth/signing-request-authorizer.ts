import type { KindCache } from "../cache/kind-cache.ts";
import { textAt } from "../core/kube-object.ts";
import type { Authorizer } from "./authorizer.ts";

const ASKERS = ["system:bootstrappers", "system:nodes"];
const READS = new Set(["get", "list", "watch"]);

/** Machines may ask for certificates, and see what became of their own requests; others' they do not see. */
export function signingRequestAuthorizer(requests: () => KindCache): Authorizer {
  return {
    name: "signing-requests",
    authorize({ identity, verb, group, resource, subresource, name }) {
      if (group !== "certificates.k8s.io" || resource !== "certificatesigningrequests" || subresource !== "")
        return undefined;
      if (!ASKERS.some((asker) => identity.groups.includes(asker))) return undefined;
      if (verb === "create") return "allow";
      if (!READS.has(verb) || name === "") return undefined;
      const request = requests().get(name);
      if (request === undefined) return "unseen";
      return textAt(request.object(), "spec", "username") === identity.user ? "allow" : undefined;
    },
  };
}
