import type { Clock } from "../../../lib/core/clock.ts";
import type { Random } from "../../../lib/core/random.ts";
import type { AuthorizerList } from "../auth/authorizer.ts";
import type { AdmissionPlugin } from "./admission.ts";
import type { CachedReads } from "./cached-reads.ts";
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from "./certificate-requests.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { NamespaceLifecycle } from "./namespace-lifecycle.ts";
import { NodeRestriction } from "./node-restriction.ts";
import { Priority } from "./priority.ts";
import { ServiceAccountAdmission } from "./service-account.ts";

/**
 * All admission plugins, in the order in which they run; the order is upstream's (contracts/kubernetes-bootstrap.json,
 * `admissionPlugins`), and plugins that are not here yet have their place by it.
 */
export function admissionPlugins(components: {
  reads: CachedReads;
  random: Random;
  clock: Clock;
  authorizers: AuthorizerList;
}): readonly AdmissionPlugin[] {
  const { reads, authorizers } = components;
  return [
    // Nothing is made in a namespace that is absent or being deleted; some namespaces are not deleted.
    new NamespaceLifecycle(reads),
    // Pods run as an account of their namespace and get its token.
    new ServiceAccountAdmission(components),
    // A node writes only what is its own.
    new NodeRestriction(reads),
    // The name of a priority class becomes a number.
    new Priority(reads),
    // Pods leave a node that is not ready or not reachable after five minutes, unless they say otherwise.
    defaultTolerationSeconds,
    // Who decides about requests for certificates, who signs them, and what nobody may ask for.
    certificateApproval(authorizers),
    certificateSigning(authorizers),
    certificateSubjectRestriction,
  ];
}
