import { invalid } from "../../../lib/core/status-error.ts";
import { type AuthorizerList, SYSTEM_MASTERS } from "../auth/authorizer.ts";
import { listAt, sameValue, textAt } from "../core/kube-object.ts";
import { type AdmissionPlugin, type AdmissionRequest, refused } from "./admission.ts";
import { signingRequestOf } from "./signing-request-of.ts";

const GROUP = "certificates.k8s.io";
const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";

type Rights = Pick<AuthorizerList, "isAllowed">;

/** Who decides about requests must be allowed to `approve` for their signer. Source: plugin/pkg/admission/certificates/approval. */
export function certificateApproval(rights: Rights): AdmissionPlugin {
  return {
    name: "CertificateApproval",
    async validate(request) {
      if (!isRequest(request, "approval")) return;
      const signer = textAt(request.old, "spec", "signerName");
      if (await maySign(rights, "approve", signer, request)) return;
      throw refused(request, `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`);
    },
  };
}

/** Who issues certificates, or says that it failed, must be allowed to `sign` for the signer. Source: …/certificates/signing. */
export function certificateSigning(rights: Rights): AdmissionPlugin {
  return {
    name: "CertificateSigning",
    async validate(request) {
      if (!isRequest(request, "status")) return;
      const { object, old } = request;
      const same = textAt(object, "status", "certificate") === textAt(old, "status", "certificate");
      if (same && sameValue(failures(object), failures(old))) return;
      const signer = textAt(old, "spec", "signerName");
      if (await maySign(rights, "sign", signer, request)) return;
      throw refused(request, `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`);
    },
  };
}

/** The request can be read, and nobody asks to become a master. Source: …/certificates/subjectrestriction. */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: "CertificateSubjectRestriction",
  async validate(request) {
    if (request.operation !== "CREATE" || !isRequest(request, "") || request.object === undefined) return;
    const asked = await signingRequestOf(request.object).catch((error: Error) => {
      const message = `Invalid value: "<certificate request data>": ${error.message}`;
      const cause = { reason: "FieldValueInvalid", message, field: "spec.request" };
      throw invalid({ group: GROUP, kind: "CertificateSigningRequest" }, request.object?.metadata?.name ?? "", [cause]);
    });
    if (textAt(request.object, "spec", "signerName") !== CLIENT_SIGNER) return;
    if (!asked.organizations.includes(SYSTEM_MASTERS)) return;
    throw refused(request, `use of ${CLIENT_SIGNER} signer with ${SYSTEM_MASTERS} group is not allowed`);
  },
};

function isRequest({ target }: AdmissionRequest, subresource: string): boolean {
  const { group, resource } = target.kind.definition;
  return group === GROUP && resource === "certificatesigningrequests" && target.subresource === subresource;
}

function failures(object: unknown): unknown[] {
  return listAt(object, "status", "conditions").filter((condition) => condition["type"] === "Failed");
}

/** For the signer itself, or for all of its domain: `example.com/*`. */
async function maySign(rights: Rights, verb: string, signer: string, { call }: AdmissionRequest): Promise<boolean> {
  const place = { group: GROUP, resource: "signers", subresource: "", namespace: "", path: "" };
  for (const name of [signer, `${signer.split("/")[0]}/*`]) {
    if (await rights.isAllowed({ identity: call.identity, verb, ...place, name })) return true;
  }
  return false;
}
