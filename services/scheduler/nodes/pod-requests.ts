import { milliUnits, parseQuantity, wholeUnits } from "../../../lib/core/quantity.ts";
import type { Container, Pod } from "../../../lib/gen/k8s/core/v1.ts";

/** Amounts by resource name: thousandths of a CPU, else whole units (bytes, devices). */
export type Amounts = Map<string, number>;

/** What scoring assumes for a container that asks for nothing, so that such pods spread too; upstream's figures. */
export const ASSUMED_CPU_MILLI = 100;
export const ASSUMED_MEMORY_BYTES = 200 * 1024 * 1024;

export function amountOf(resource: string, text: string): number {
  const quantity = parseQuantity(text);
  return Number(resource === "cpu" ? milliUnits(quantity) : wholeUnits(quantity));
}

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, amountOf(name, text)]));
}

type RequestsOf = (container: Container) => Amounts;

/** What a pod takes from its node, by the rule of KEP-753 (sidecars) and KEP-2837 (requests of the pod as a whole). */
export function podRequests(pod: Pod): Amounts {
  return totalOf(pod, (container) => amountsOf(container.resources?.requests));
}

/** As `podRequests`, with the assumed amounts where a container says nothing. */
export function scoringRequests(pod: Pod): Amounts {
  return totalOf(pod, (container) => {
    const asked = amountsOf(container.resources?.requests);
    if (!asked.has("cpu")) asked.set("cpu", ASSUMED_CPU_MILLI);
    if (!asked.has("memory")) asked.set("memory", ASSUMED_MEMORY_BYTES);
    return asked;
  });
}

function totalOf(pod: Pod, requestsOf: RequestsOf): Amounts {
  const { spec } = pod;
  const total: Amounts = new Map();
  for (const container of spec?.containers ?? []) add(total, requestsOf(container));
  const peak: Amounts = new Map();
  const sidecars: Amounts = new Map();
  for (const container of spec?.initContainers ?? []) {
    const asked = requestsOf(container);
    if (container.restartPolicy === "Always") {
      add(sidecars, asked);
      raise(peak, sidecars);
    } else {
      add(asked, sidecars);
      raise(peak, asked);
    }
  }
  add(total, sidecars);
  raise(total, peak);
  for (const [name, amount] of amountsOf(spec?.resources?.requests)) total.set(name, amount);
  add(total, amountsOf(spec?.overhead));
  return total;
}

function add(total: Amounts, more: Amounts): void {
  for (const [name, amount] of more) total.set(name, (total.get(name) ?? 0) + amount);
}

function raise(total: Amounts, least: Amounts): void {
  for (const [name, amount] of least) total.set(name, Math.max(total.get(name) ?? 0, amount));
}
