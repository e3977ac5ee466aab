import { expect, test } from "vitest";
import type { Attributes } from "./authorizer.ts";
import { roleAuthorizer } from "./role-authorizer.ts";

const USERS: Record<string, { user: string; groups: string[] }> = {
  scheduler: { user: "system:kube-scheduler", groups: [] },
  manager: { user: "system:kube-controller-manager", groups: [] },
  node: { user: "system:node:n", groups: ["system:nodes"] },
  nobody: { user: "system:anonymous", groups: ["system:unauthenticated"] },
};

function asked(who: string, verb: string, what: string): Attributes {
  const [place = "", name = ""] = what.split(" ");
  const [namespace, path] = place.includes(":") ? place.split(":") : ["", place];
  const [group = "", resource = "", subresource = ""] = path!.split("/");
  return { identity: USERS[who]!, verb, group, resource, subresource, namespace: namespace!, name, path: "" };
}

test.each([
  ["scheduler", "watch", "/pods", true],
  ["scheduler", "create", "default:/pods/binding p", true],
  ["scheduler", "patch", "default:/pods/status p", true],
  ["scheduler", "patch", "default:/pods p", false],
  ["scheduler", "create", "default:/pods", false],
  ["scheduler", "get", "default:/secrets s", false],
  ["scheduler", "update", "/nodes n", false],
  ["scheduler", "update", "kube-system:coordination.k8s.io/leases kube-scheduler", true],
  ["scheduler", "update", "kube-system:coordination.k8s.io/leases kube-controller-manager", false],
  ["scheduler", "update", "default:coordination.k8s.io/leases kube-scheduler", false],
  ["manager", "list", "example.com/widgets", true],
  ["manager", "delete", "default:example.com/widgets w", true],
  ["manager", "create", "default:apps/replicasets", true],
  ["manager", "create", "apps/deployments", false],
  ["manager", "create", "default:/secrets", false],
  ["manager", "create", "default:/serviceaccounts/token a", false],
  ["manager", "sign", "certificates.k8s.io/signers kubernetes.io/kubelet-serving", true],
  ["manager", "approve", "certificates.k8s.io/signers kubernetes.io/kube-apiserver-client", false],
  ["node", "get", "kube-system:/configmaps extension-apiserver-authentication", true],
  ["node", "get", "kube-system:/configmaps other", false],
  ["nobody", "get", "kube-public:/configmaps cluster-info", true],
  ["nobody", "get", "kube-public:/configmaps other", false],
  ["nobody", "list", "kube-public:/configmaps", false],
])("%s: %s %s: %s", (who, verb, what, allowed) => {
  expect(roleAuthorizer().authorize(asked(who, verb, what))).toBe(allowed ? "allow" : undefined);
});

test("what is no resource is nobody's here", () => {
  const path = { ...asked("manager", "get", "/"), path: "/metrics" };
  expect(roleAuthorizer().authorize(path)).toBeUndefined();
});
