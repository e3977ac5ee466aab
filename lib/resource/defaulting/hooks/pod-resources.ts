import { emptyObject, isJsonObject, type JsonObject, type JsonValue, memberOf } from "../../json-value.ts";
import type { DefaultHook } from "../default-hook.ts";
import { amountOf, maxAmount, sumAmounts } from "../resource-quantity.ts";

type AmountList = "requests" | "limits";

/**
 * A container requests what it is limited to; a pod with resources of its own (KEP-2837) gets what is missing there from
 * its containers' sums and from its own limits, in this order.
 */
export const podResources: DefaultHook = (pod) => {
  const spec = pod["spec"];
  if (!isJsonObject(spec)) return;
  const containers = objectsIn(spec["containers"]);
  const initContainers = objectsIn(spec["initContainers"]);
  for (const container of [...containers, ...initContainers]) {
    const resources = memberOf(container, "resources");
    if (isJsonObject(resources)) for (const name of namesIn(resources, "limits")) requestLimit(resources, name);
  }
  const resources = memberOf(spec, "resources");
  if (isJsonObject(resources)) fillPodLevel(resources, containers, initContainers);
};

function fillPodLevel(resources: JsonObject, containers: JsonObject[], initContainers: JsonObject[]): void {
  if (namesIn(resources, "limits").length + namesIn(resources, "requests").length === 0) return;
  const all = [...containers, ...initContainers];
  for (const name of namesOfAll(all, "limits")) {
    if (!isHugePages(name) || amountOf(resources, "requests", name) !== undefined) continue;
    setMissing(resources, "limits", name, aggregate(containers, initContainers, "limits", name));
  }
  if (namesIn(resources, "limits").length === 0) return;
  for (const name of namesOfAll(all, "requests")) {
    if (!isCounted(name)) continue;
    setMissing(resources, "requests", name, aggregate(containers, initContainers, "requests", name));
  }
  for (const name of namesIn(resources, "limits")) {
    if (isCounted(name) || isHugePages(name)) requestLimit(resources, name);
  }
}

function isHugePages(name: string): boolean {
  return name.startsWith("hugepages-");
}

function isCounted(name: string): boolean {
  return name === "cpu" || name === "memory";
}

/** What a pod needs of a resource at once: its containers' sum, or the peak of its start-up, side-cars included. */
function aggregate(
  containers: readonly JsonObject[],
  initContainers: readonly JsonObject[],
  list: AmountList,
  name: string,
): string | undefined {
  const amount = (container: JsonObject): string | undefined => {
    const resources = memberOf(container, "resources");
    return isJsonObject(resources) ? amountOf(resources, list, name) : undefined;
  };
  let sidecars: string | undefined;
  let peak: string | undefined;
  for (const container of initContainers) {
    if (container["restartPolicy"] === "Always") {
      sidecars = sumAmounts(sidecars, amount(container));
      peak = maxAmount(peak, sidecars);
    } else {
      peak = maxAmount(peak, sumAmounts(sidecars, amount(container)));
    }
  }
  return maxAmount(containers.map(amount).reduce(sumAmounts, sidecars), peak);
}

function requestLimit(resources: JsonObject, name: string): void {
  setMissing(resources, "requests", name, amountOf(resources, "limits", name));
}

function setMissing(resources: JsonObject, list: AmountList, name: string, amount: string | undefined): void {
  if (amount === undefined || amountOf(resources, list, name) !== undefined) return;
  const amounts = memberOf(resources, list);
  const target = isJsonObject(amounts) ? amounts : emptyObject();
  target[name] = amount;
  resources[list] = target;
}

function namesIn(resources: JsonObject, list: AmountList): string[] {
  const amounts = memberOf(resources, list);
  return isJsonObject(amounts) ? Object.keys(amounts) : [];
}

function namesOfAll(containers: readonly JsonObject[], list: AmountList): Set<string> {
  const resources = containers.map((container) => memberOf(container, "resources")).filter(isJsonObject);
  return new Set(resources.flatMap((one) => namesIn(one, list)));
}

function objectsIn(list: JsonValue | undefined): JsonObject[] {
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}
