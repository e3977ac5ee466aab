import { copyOf, type KubeObject } from "./kube-object.ts";

/** Members of events.k8s.io/v1 and what core/v1 calls them; source: kubernetes/kubernetes:pkg/apis/events/v1. */
const RENAMED: readonly (readonly [events: string, core: string])[] = [
  ["regarding", "involvedObject"],
  ["note", "message"],
  ["reportingController", "reportingComponent"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
];

/** Events are stored as core/v1 whichever way they came. */
export function toCoreEvent(object: KubeObject): KubeObject {
  return rename(object, "v1", (members) => new Map(members));
}

export function fromCoreEvent(object: KubeObject): KubeObject {
  return rename(object, "events.k8s.io/v1", (members) => new Map(members.map(([events, core]) => [core, events])));
}

function rename(
  object: KubeObject,
  apiVersion: string,
  direction: (members: typeof RENAMED) => ReadonlyMap<string, string>,
): KubeObject {
  const names = direction(RENAMED);
  const renamed: KubeObject = {};
  for (const [member, value] of Object.entries(object)) renamed[names.get(member) ?? member] = copyOf(value);
  renamed.apiVersion = apiVersion;
  return renamed;
}
