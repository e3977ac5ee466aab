import type { CertificateSigningRequest } from "../../../gen/k8s/certificates/v1.ts";
import { humanDuration } from "../human-duration.ts";
import type { ComputedRow } from "../row-hook.ts";

/** The cells of `kubectl get certificatesigningrequests` that no path gives. */
export function certificateSigningRequestRow({ spec = {}, status = {} }: CertificateSigningRequest): ComputedRow {
  const seconds = spec.expirationSeconds;
  const has = (type: string) => status.conditions?.some((condition) => condition.type === type) ?? false;
  const words = ["Approved", "Denied"].filter(has);
  if (words.length === 0) words.push("Pending");
  if (has("Failed")) words.push("Failed");
  if ((status.certificate ?? "") !== "") words.push("Issued");
  return {
    cells: {
      RequestedDuration: seconds === undefined ? "<none>" : humanDuration(seconds * 1000),
      Condition: words.join(","),
    },
  };
}
