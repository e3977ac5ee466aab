import { Controller } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import type { KeyPair } from "../../../lib/core/key-pair.ts";
import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import { certificateSigningRequests } from "../../../lib/gen/k8s/resources.ts";
import type { Authority } from "../../../lib/pki/authority.ts";
import { readRequest } from "../certificate-requests/read-request.ts";
import { addCondition, conditionOf } from "../certificate-requests/request-state.ts";
import { misfit, SIGNERS } from "../certificate-requests/signer-rules.ts";
import type { ControllerFactory } from "../manager-context.ts";

const DAY_SECONDS = 86_400;

/** Puts certificates into approved requests for the signers that it has a key of, or says why it does not sign. */
export const signingController: ControllerFactory = (context) => {
  const { api, informers, signing, clock, random } = context;
  const requests = informers.of(certificateSigningRequests);
  // Read each time: authorities are replaced, and most starts sign nothing.
  const authorityOf = async (keys: () => Promise<KeyPair>): Promise<Authority> => {
    const { Authority } = await import("../../../lib/pki/authority.ts");
    return Authority.load(await keys(), clock, random);
  };
  const options = { name: "certificatesigningrequest-signing-controller", whenSynced: allSynced([requests]) };
  const controller = new Controller(context, options, async (name) => {
    const object = requests.store.get(name);
    if (object === undefined || !isDue(object)) return undefined;
    const rule = SIGNERS.get(object.spec?.signerName ?? "");
    const keys = rule === undefined ? undefined : signing[rule.authority];
    if (rule === undefined || keys === undefined) return undefined;
    const asked = await readRequest(object).catch((error: Error) => error.message);
    const why = typeof asked === "string" ? asked : misfit(rule, object, asked);
    if (typeof asked === "string" || why !== undefined) {
      await addCondition(context, object, { type: "Failed", reason: "SignerValidationFailure", message: why ?? "" });
      return undefined;
    }
    const seconds = Math.min(object.spec?.expirationSeconds ?? rule.maxSeconds, rule.maxSeconds);
    const certificate = await (await authorityOf(keys)).sign(
      {
        commonName: asked.commonNames[0]!,
        organizations: asked.organizations,
        dnsNames: asked.dnsNames,
        ipAddresses: asked.ipAddresses,
        usages: [rule.usage],
        validityDays: seconds / DAY_SECONDS,
      },
      asked.publicKey,
    );
    const status = { ...object.status, certificate: Buffer.from(certificate).toString("base64") };
    await api.update(certificateSigningRequests, { ...object, status }, { subresource: "status" });
    return undefined;
  });
  const enqueue = (object: CertificateSigningRequest) => controller.queue.add(object.metadata?.name ?? "");
  requests.addHandler({ added: enqueue, updated: enqueue });
  return controller;
};

function isDue(object: CertificateSigningRequest): boolean {
  const isIssued = (object.status?.certificate ?? "") !== "";
  const isEnded = conditionOf(object, "Denied") !== undefined || conditionOf(object, "Failed") !== undefined;
  return conditionOf(object, "Approved") !== undefined && !isEnded && !isIssued;
}
