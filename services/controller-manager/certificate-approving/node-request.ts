import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import type { Node } from "../../../lib/gen/k8s/core/v1.ts";
import type { SigningRequest } from "../../../lib/pki/signing-request.ts";
import { NODE_CLIENT_SIGNER, NODE_PREFIX, NODES_GROUP } from "../certificate-requests/signer-rules.ts";

export interface Judgement {
  /** `ignore`: people decide. `wait`: it depends on what may still come. */
  readonly type: "approve" | "deny" | "ignore" | "wait";
  readonly why: string;
}

const BOOTSTRAPPERS = "system:bootstrappers";
const IGNORE: Judgement = { type: "ignore", why: "" };

/** Decides about a request, by who asks, what does not fit its signer (`misfit`), and what the cluster knows of its nodes. */
export function judgeNodeRequest(
  object: CertificateSigningRequest,
  asked: SigningRequest,
  misfit: string | undefined,
  nodes: readonly Node[],
): Judgement {
  const { username = "", groups = [], signerName } = object.spec ?? {};
  const subject = asked.commonNames[0] ?? "";
  const name = subject.slice(NODE_PREFIX.length);
  const node = nodes.find(({ metadata }) => metadata?.name === name);
  const isNode = username.startsWith(NODE_PREFIX) && groups.includes(NODES_GROUP);
  const isBootstrapper = groups.includes(BOOTSTRAPPERS);
  if (!isNode && !isBootstrapper) return IGNORE;
  if (misfit !== undefined) return { type: "deny", why: misfit };
  if (isNode && username !== subject) return { type: "deny", why: `${username} asks in the name of ${subject}` };
  if (signerName === NODE_CLIENT_SIGNER) {
    if (isNode) return { type: "approve", why: "self kubelet client certificate" };
    // Who holds a token makes new nodes; it never becomes one that is there.
    const why = `a Node ${JSON.stringify(name)} exists already: delete it before another machine joins by this name`;
    return node === undefined
      ? { type: "approve", why: "kubelet client certificate of a new node" }
      : { type: "deny", why };
  }
  if (!isNode) return IGNORE;
  if (node === undefined) return { type: "wait", why: "the Node does not exist yet" };
  const strange = strangeName(asked, node, nodes);
  if (strange === undefined)
    return { type: "approve", why: "kubelet serving certificate for the node's own addresses" };
  return { type: "deny", why: `${strange} is not a name or an address of the Node ${JSON.stringify(name)} alone` };
}

/** The first name that is not the node's own, or that another node has, too. */
function strangeName(asked: SigningRequest, node: Node, nodes: readonly Node[]): string | undefined {
  const own = addressesOf(node);
  const others = new Set(nodes.filter((other) => other !== node).flatMap((other) => [...addressesOf(other)]));
  return [...asked.dnsNames, ...asked.ipAddresses].find(
    (name) => !own.has(name) || (others.has(name) && !leadsNowhere(name)),
  );
}

function addressesOf(node: Node): Set<string> {
  const addresses = node.status?.addresses ?? [];
  return new Set([node.metadata?.name ?? "", ...addresses.map(({ address }) => address ?? "")].filter(Boolean));
}

/** Several nodes of one machine share it, and by it nobody reaches another machine. */
function leadsNowhere(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127\./.test(name);
}
