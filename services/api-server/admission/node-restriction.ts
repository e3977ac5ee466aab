import { nodeNameOf } from "../auth/node-identity.ts";
import { podReferences } from "../auth/pod-references.ts";
import { isRecord, type KubeObject, sameValue, textAt, valueAt } from "../core/kube-object.ts";
import { type AdmissionPlugin, type AdmissionRequest, refused } from "./admission.ts";
import type { CachedReads } from "./cached-reads.ts";
import { changedLabels, forbiddenLabelChanges } from "./node-labels.ts";
import { signingRequestOf } from "./signing-request-of.ts";

const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
const LEASE_NAMESPACE = "kube-node-lease";
const NODE_SIGNERS = ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];

/** Throws when the node may not do this. */
type Restriction = (node: string, request: AdmissionRequest, reads: CachedReads) => void | Promise<void>;

const nodes: Restriction = (node, request) => {
  const quoted = JSON.stringify(node);
  const { object, old } = request;
  const name = request.target.name || (object?.metadata?.name ?? "");
  if (name !== node) throw refused(request, `node ${quoted} is not allowed to modify node ${JSON.stringify(name)}`);
  if (object === undefined) return;
  const configSource = valueAt(object, "spec", "configSource");
  if (configSource !== undefined && !sameValue(configSource, valueAt(old, "spec", "configSource"))) {
    throw refused(request, `node ${quoted} is not allowed to update configSource to a new non-nil configSource`);
  }
  // Whoever owns a Node decides when the garbage collector deletes it (CVE-2025-5187).
  if (!sameValue(object.metadata?.ownerReferences ?? [], old?.metadata?.ownerReferences ?? [])) {
    throw refused(request, `node ${quoted} is not allowed to modify ownerReferences`);
  }
  const labels = forbiddenLabelChanges(object.metadata?.labels, old?.metadata?.labels).join(", ");
  if (old === undefined) {
    if (labels !== "") throw refused(request, `node ${quoted} is not allowed to set the following labels: ${labels}`);
    return;
  }
  if (!sameValue(valueAt(object, "spec", "taints") ?? [], valueAt(old, "spec", "taints") ?? [])) {
    throw refused(request, `node ${quoted} is not allowed to modify taints`);
  }
  if (labels !== "") throw refused(request, `is not allowed to modify labels: ${labels}`);
};

const pods: Restriction = async (node, request, reads) => {
  const quoted = JSON.stringify(node);
  if (request.operation === "CREATE") return await newPod(node, request, reads);
  if (request.operation !== "DELETE") {
    throw refused(request, `unexpected operation, node ${quoted} can only create and delete mirror pods`);
  }
  if (textAt(request.old, "spec", "nodeName") === node) return;
  throw refused(request, `node ${quoted} can only delete pods with spec.nodeName set to itself`);
};

/** A node makes only mirrors of its static pods, owned by its Node, that lead it to nothing else. */
async function newPod(node: string, request: AdmissionRequest, reads: CachedReads): Promise<void> {
  const quoted = JSON.stringify(node);
  const pod = request.object!;
  const annotations = pod.metadata?.annotations ?? {};
  if (annotations[MIRROR_ANNOTATION] === undefined) {
    const why = `pod does not have ${JSON.stringify(MIRROR_ANNOTATION)} annotation, node ${quoted} can only create mirror pods`;
    throw refused(request, why);
  }
  if (textAt(pod, "spec", "nodeName") !== node) {
    throw refused(request, `node ${quoted} can only create pods with spec.nodeName set to itself`);
  }
  await checkOwner(node, request, reads);
  const asOrdinary = { ...pod, metadata: { ...pod.metadata, annotations: { ...annotations } } };
  delete asOrdinary.metadata.annotations[MIRROR_ANNOTATION];
  for (const reference of podReferences(asOrdinary)) {
    const [resource = ""] = reference.split("/");
    const what = resource === "serviceaccounts" ? "a service account" : resource;
    throw refused(request, `node ${quoted} can not create pods that reference ${what}`);
  }
}

async function checkOwner(node: string, request: AdmissionRequest, reads: CachedReads): Promise<void> {
  const quoted = JSON.stringify(node);
  const owners = request.object!.metadata?.ownerReferences ?? [];
  const [owner] = owners;
  const isItself = owner?.apiVersion === "v1" && owner.kind === "Node" && owner.name === node;
  if (owner === undefined || owners.length > 1 || !isItself) {
    const single = owners.length > 1 ? "a single" : "an";
    throw refused(request, `node ${quoted} can only create pods with ${single} owner reference set to itself`);
  }
  if (owner.controller !== true) {
    throw refused(request, `node ${quoted} can only create pods with a controller owner reference set to itself`);
  }
  if (owner.blockOwnerDeletion === true) {
    throw refused(request, `node ${quoted} must not set blockOwnerDeletion on an owner reference`);
  }
  const uid = (await reads.find("nodes", "", node))?.metadata?.uid ?? "";
  if (owner.uid !== uid) throw refused(request, `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`);
}

const podStatus: Restriction = (node, request) => {
  const quoted = JSON.stringify(node);
  const { object, old } = request;
  if (textAt(old, "spec", "nodeName") !== node) {
    throw refused(request, `node ${quoted} can only update pod status for pods with spec.nodeName set to itself`);
  }
  if (changedLabels(object?.metadata?.labels, old?.metadata?.labels).length > 0) {
    throw refused(request, `node ${quoted} cannot update labels through pod status`);
  }
};

const eviction: Restriction = async (node, request, reads) => {
  const { namespace, name } = request.target;
  const pod = await reads.find("pods", namespace, name);
  if (pod === undefined || textAt(pod, "spec", "nodeName") === node) return;
  throw refused(request, `node ${node} can only evict pods with spec.nodeName set to itself`);
};

const token: Restriction = async (node, request, reads) => {
  const reference = valueAt(request.object, "spec", "boundObjectRef");
  const name = textAt(reference, "name");
  const isPod = isRecord(reference) && textAt(reference, "kind") === "Pod" && textAt(reference, "apiVersion") === "v1";
  if (!isPod || name === "") throw refused(request, "node requested token not bound to a pod");
  const uid = textAt(reference, "uid");
  if (uid === "") throw refused(request, "node requested token with a pod binding without a uid");
  const pod = await reads.find("pods", request.target.namespace, name);
  // The handler answers that the pod is absent, or that it is another one.
  if (pod === undefined || pod.metadata?.uid !== uid || textAt(pod, "spec", "nodeName") === node) return;
  throw refused(request, "node requested token bound to a pod scheduled on a different node");
};

const leases: Restriction = (node, request) => {
  if (request.target.namespace !== LEASE_NAMESPACE) {
    throw refused(request, `can only access leases in the ${JSON.stringify(LEASE_NAMESPACE)} system namespace`);
  }
  if ((request.target.name || request.object?.metadata?.name) === node) return;
  throw refused(request, "can only access node lease with the same name as the requesting node");
};

const signingRequests: Restriction = async (node, request) => {
  if (request.operation !== "CREATE" || request.target.subresource !== "") return;
  if (!NODE_SIGNERS.includes(textAt(request.object, "spec", "signerName"))) return;
  const asked = await signingRequestOf(request.object as KubeObject).catch((error: Error) => {
    throw refused(request, `unable to parse csr: ${error.message}`);
  });
  const wanted = `system:node:${node}`;
  if (asked.commonNames.length === 1 && asked.commonNames[0] === wanted) return;
  throw refused(request, `can only create a node CSR with CN=${wanted}`);
};

/** `group/resource/subresource`. */
const RESTRICTIONS: Readonly<Record<string, Restriction>> = {
  "/nodes/": nodes,
  "/nodes/status": nodes,
  "/pods/": pods,
  "/pods/status": podStatus,
  "/pods/eviction": eviction,
  "/serviceaccounts/token": token,
  "coordination.k8s.io/leases/": leases,
  "certificates.k8s.io/certificatesigningrequests/": signingRequests,
};

/**
 * What a node writes about the objects that it may write: only its own, and nothing that would draw work or rights to it.
 * Source of behaviour and texts: k8s.io/docs/reference/access-authn-authz/admission-controllers#noderestriction.
 */
export class NodeRestriction implements AdmissionPlugin {
  readonly name = "NodeRestriction";
  readonly #reads: CachedReads;

  constructor(reads: CachedReads) {
    this.#reads = reads;
  }

  async mutate(request: AdmissionRequest): Promise<void> {
    const node = nodeNameOf(request.call.identity);
    if (node === undefined) return;
    const { definition } = request.target.kind;
    const what = `${definition.group}/${definition.resource}/${request.target.subresource}`;
    await RESTRICTIONS[what]?.(node, request, this.#reads);
  }
}
