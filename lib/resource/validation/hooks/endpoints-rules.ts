import { isIP } from "node:net";
import type { EndpointSubset, Endpoints } from "../../../gen/k8s/core/v1.ts";
import { FieldPath } from "../../field-path.ts";
import type { KindRules } from "../kind-rules.ts";
import { dnsLabelProblems, portNumberProblems } from "../name-format.ts";
import type { Violations } from "../violations.ts";

const ADDRESS_TEXT = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

export const endpointsRules: KindRules<Endpoints> = {
  object({ subsets = [] }, violations) {
    for (const [index, subset] of subsets.entries()) {
      checkSubset(subset, FieldPath.of("subsets").index(index), violations);
    }
  },
};

function checkSubset(subset: EndpointSubset, path: FieldPath, violations: Violations): void {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length + notReadyAddresses.length === 0) {
    violations.required(path, "must specify `addresses` or `notReadyAddresses`");
  }
  for (const [member, list] of [
    ["addresses", addresses],
    ["notReadyAddresses", notReadyAddresses],
  ] as const) {
    for (const [index, { ip = "" }] of list.entries()) {
      const at = path.child(member).index(index).child("ip");
      if (isIP(ip) === 0) violations.invalid(at, ip, ADDRESS_TEXT);
      else if (!isReachable(ip)) {
        violations.invalid(at, ip, "may not be in the loopback, link-local or unspecified ranges");
      }
    }
  }
  for (const [index, { name = "", port = 0 }] of ports.entries()) {
    const at = path.child("ports").index(index);
    if (name === "" && ports.length > 1) violations.required(at.child("name"));
    else if (name !== "") violations.invalidEach(at.child("name"), name, dnsLabelProblems(name));
    violations.invalidEach(at.child("port"), port, portNumberProblems(port));
  }
}

/** Endpoints must not lead a proxy to its own machine. */
function isReachable(ip: string): boolean {
  return !/^(127\.|169\.254\.|0\.0\.0\.0$|224\.0\.0\.|::1?$|fe[89ab]|ff02:)/i.test(ip);
}
