import { CniCode, CniError } from "../skel/cni-error.ts";
import { parseAddress } from "../skel/ip-address.ts";
import { isObject, type JsonObject } from "../skel/request.ts";

export interface PortMapping {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly hostPort: number;
  readonly containerPort: number;
  /** Undefined: every address of the node. */
  readonly hostAddress: string | undefined;
}

const PROTOCOLS = ["tcp", "udp", "sctp"] as const;

/** What the runtime hands over by the capability `portMappings`; source: CONVENTIONS of the specification. */
export function parsePortMappings(config: JsonObject): PortMapping[] {
  const runtimeConfig = isObject(config["runtimeConfig"]) ? config["runtimeConfig"] : {};
  const listed = runtimeConfig["portMappings"] ?? [];
  if (!Array.isArray(listed)) throw invalid("runtimeConfig.portMappings is not a list", listed);
  // A mapping without a port on the node asks for nothing.
  return listed
    .map(withLowerKeys)
    .filter((entry) => entry["hostport"] !== 0)
    .map(parseOne);
}

/** containerd writes the names of Go's fields, others those of the convention: Go's decoder sees no difference. */
function withLowerKeys(entry: unknown): JsonObject {
  if (!isObject(entry)) throw invalid("a port mapping is not an object", entry);
  return Object.fromEntries(Object.entries(entry).map(([key, value]) => [key.toLowerCase(), value]));
}

function parseOne(entry: JsonObject): PortMapping {
  const protocol = PROTOCOLS.find((known) => known === String(entry["protocol"] ?? "tcp").toLowerCase());
  if (protocol === undefined) throw invalid("a port mapping has an unknown protocol", entry);
  const [hostPort, containerPort] = [entry["hostport"], entry["containerport"]];
  if (!isPort(hostPort) || !isPort(containerPort)) throw invalid("a port mapping has no port from 1 to 65535", entry);
  return { protocol, hostPort, containerPort, hostAddress: hostAddressOf(entry) };
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= 65_535;
}

function hostAddressOf(entry: JsonObject): string | undefined {
  const text = entry["hostip"] ?? "";
  if (text === "" || text === "0.0.0.0" || text === "::") return undefined;
  if (typeof text !== "string" || parseAddress(text)?.family !== 4) {
    throw invalid("hostIP of a port mapping is not an IPv4 address", entry);
  }
  return text;
}

function invalid(message: string, value: unknown): CniError {
  return new CniError(CniCode.invalidConfig, message, JSON.stringify(value));
}
