import { MemoryApi } from "../../../lib/client/testkit/memory-api.ts";
import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import {
  configMaps,
  deployments,
  leases,
  namespaces,
  nodes,
  pods,
  replicaSets,
  serviceAccounts,
} from "../../../lib/gen/k8s/resources.ts";
import type { ResourceDefinition, ResourceRef } from "../../../lib/resource/kind.ts";
import { ControllerManager } from "../controller-manager.ts";
import type { SigningKeys } from "../manager-context.ts";

/** The definition of a resource with what controllers read of it. */
export function definitionOf(ref: ResourceRef): ResourceDefinition {
  return {
    ...ref,
    verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
    stored: true,
    storage: { prefix: ref.resource, group: ref.group, version: ref.version },
    schema: { fields: [] },
  } as unknown as ResourceDefinition;
}

/** A simulated API, a virtual clock and controllers by name, for unit tests. */
export function managerWorld(controllers: readonly string[], seed = 5) {
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  const api = new MemoryApi({ clock, random });
  const known: ResourceRef[] = [configMaps, pods, serviceAccounts, leases, namespaces, replicaSets, deployments, nodes];
  const registry = { resources: () => known.map(definitionOf) };
  const open = (signing: SigningKeys = {}) =>
    new ControllerManager(
      { api, registry, clock, random, log: silentLog },
      { rootCaPem: "PEM\n", identity: "test", leaderElect: false, controllers, signing },
    );
  return { clock, api, random, open, manager: open() };
}
