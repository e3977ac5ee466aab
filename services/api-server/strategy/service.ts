import { structAt, textAt } from "../core/kube-object.ts";
import type { Strategy } from "./strategy.ts";

/** Cluster addresses are given by the allocator; here is only what every service goes through. */
export const serviceStrategy: Strategy = {
  returnsDeleted: true,
  prepareUpdate(object, old) {
    // A client that sends its manifest again does not know the address that was given.
    const spec = structAt(object, "spec");
    if (textAt(object, "spec", "type") === "ExternalName") return;
    for (const member of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) {
      const previous = structAt(old, "spec")[member];
      if (spec[member] === undefined && previous !== undefined) spec[member] = previous;
    }
  },
};
