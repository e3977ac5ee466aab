import { X509Certificate } from "node:crypto";
import { Controller } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { parseTimeMs } from "../../../lib/core/clock.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import { certificateSigningRequests } from "../../../lib/gen/k8s/resources.ts";
import { conditionOf } from "../certificate-requests/request-state.ts";
import type { ControllerFactory } from "../manager-context.ts";

const HOUR_MS = 3_600_000;
/** Upstream's: how long a request is kept after it was decided, and while nobody decides. */
const DECIDED_MS = HOUR_MS;
const PENDING_MS = 24 * HOUR_MS;
const PERIOD_MS = HOUR_MS;
const ROUND = "round";

/** Takes away requests that are done, that failed or were denied, and those that nobody decided about for a day. */
export const cleanerController: ControllerFactory = (context) => {
  const { api, clock, informers } = context;
  const requests = informers.of(certificateSigningRequests);
  const options = { name: "certificatesigningrequest-cleaner-controller", whenSynced: allSynced([requests]) };
  const controller = new Controller(context, options, async () => {
    for (const request of requests.store.list()) {
      if (!isOver(request, clock.nowMs())) continue;
      const { name = "", uid = "" } = request.metadata ?? {};
      await api.delete(certificateSigningRequests, { name }, { uid }).catch((thrown: unknown) => {
        const { code } = asStatusError(thrown);
        if (code !== 404 && code !== 409) throw thrown;
      });
    }
    return { afterMs: PERIOD_MS };
  });
  controller.queue.add(ROUND);
  return controller;
};

/** Exported for its test. */
export function isOver(request: CertificateSigningRequest, nowMs: number): boolean {
  const age = (time: string | undefined) => (time === undefined ? 0 : nowMs - parseTimeMs(time));
  const certificate = request.status?.certificate ?? "";
  const ends = certificate === "" ? (["Denied", "Failed"] as const) : (["Approved", "Denied", "Failed"] as const);
  if (ends.some((type) => age(conditionOf(request, type)?.lastUpdateTime) > DECIDED_MS)) return true;
  if (certificate === "") return age(request.metadata?.creationTimestamp) > PENDING_MS;
  return isExpired(certificate, nowMs);
}

function isExpired(certificate: string, nowMs: number): boolean {
  try {
    return new X509Certificate(Buffer.from(certificate, "base64")).validToDate.getTime() < nowMs;
  } catch {
    return false;
  }
}
