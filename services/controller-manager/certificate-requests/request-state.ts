import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import { certificateSigningRequests } from "../../../lib/gen/k8s/resources.ts";
import type { ManagerContext } from "../manager-context.ts";

type Decision = "Approved" | "Denied" | "Failed";

export function conditionOf(request: CertificateSigningRequest, type: Decision) {
  return request.status?.conditions?.find((condition) => condition.type === type);
}

export function isDecided(request: CertificateSigningRequest): boolean {
  return conditionOf(request, "Approved") !== undefined || conditionOf(request, "Denied") !== undefined;
}

/** Adds a condition by the subresource that may; times are the API server's. */
export async function addCondition(
  { api }: ManagerContext,
  request: CertificateSigningRequest,
  why: { type: Decision; reason: string; message: string },
): Promise<void> {
  const conditions = [...(request.status?.conditions ?? []), { ...why, status: "True" as const }];
  const subresource = why.type === "Failed" ? "status" : "approval";
  await api.update(
    certificateSigningRequests,
    { ...request, status: { ...request.status, conditions } },
    { subresource },
  );
}
