import { Controller } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import { certificateSigningRequests, nodes } from "../../../lib/gen/k8s/resources.ts";
import { readRequest } from "../certificate-requests/read-request.ts";
import { addCondition, isDecided } from "../certificate-requests/request-state.ts";
import { misfit, NODE_CLIENT_SIGNER, NODE_SERVING_SIGNER, SIGNERS } from "../certificate-requests/signer-rules.ts";
import type { ControllerFactory } from "../manager-context.ts";
import { judgeNodeRequest } from "./node-request.ts";

const REASON = "AutoApproved";
/** A node that is not there yet may come. */
const RETRY_MS = 5_000;

/**
 * Approves the requests of machines that join and of nodes for certificates of their own name, and denies theirs for more.
 * Requests of everybody else are left to people.
 */
export const approvingController: ControllerFactory = (context) => {
  const { api, informers } = context;
  const requests = informers.of(certificateSigningRequests);
  const options = { name: "certificatesigningrequest-approving-controller", whenSynced: allSynced([requests]) };
  const controller = new Controller(context, options, async (name) => {
    const request = requests.store.get(name);
    if (request === undefined || isDecided(request)) return undefined;
    const rule = SIGNERS.get(request.spec?.signerName ?? "");
    if (rule?.isOfNode !== true) return undefined;
    const asked = await readRequest(request).catch(() => undefined);
    if (asked === undefined) return undefined;
    const why = misfit(rule, request, asked);
    // Live, since an address that the node reported a moment ago counts.
    const verdict = judgeNodeRequest(request, asked, why, (await api.list(nodes)).items);
    if (verdict.type === "ignore") return undefined;
    if (verdict.type === "wait") return { afterMs: RETRY_MS };
    const message = verdict.type === "approve" ? `Auto approving ${verdict.why}` : verdict.why;
    await addCondition(context, request, {
      type: verdict.type === "approve" ? "Approved" : "Denied",
      reason: verdict.type === "approve" ? REASON : "NotItsOwn",
      message,
    });
    return undefined;
  });
  const enqueue = (request: CertificateSigningRequest) => {
    const signer = request.spec?.signerName ?? "";
    if (signer === NODE_CLIENT_SIGNER || signer === NODE_SERVING_SIGNER)
      controller.queue.add(request.metadata?.name ?? "");
  };
  requests.addHandler({ added: enqueue, updated: enqueue });
  return controller;
};
