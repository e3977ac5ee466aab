import { isJsonObject, type JsonValue } from "../../json-value.ts";
import type { DefaultHook } from "../default-hook.ts";

/** On the host's network a container's port is the host's port. */
export const podHostPorts: DefaultHook = (pod) => {
  const spec = pod["spec"];
  if (!isJsonObject(spec) || spec["hostNetwork"] !== true) return;
  for (const list of ["containers", "initContainers"]) {
    for (const port of itemsOf(spec[list]).flatMap((container) => itemsOf(container["ports"]))) {
      const number = port["containerPort"];
      if (number !== undefined) port["hostPort"] ??= number;
    }
  }
};

function itemsOf(list: JsonValue | undefined): { [name: string]: JsonValue }[] {
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}
