import { refuseUnknown } from "../host-local/pool.ts";
import { CniCode, CniError } from "../skel/cni-error.ts";
import { isObject, type JsonObject } from "../skel/request.ts";

export interface BridgeConfig {
  readonly bridge: string;
  /** The bridge gets the ranges' gateway addresses. */
  readonly isGateway: boolean;
  /** And containers a default route to it. */
  readonly isDefaultGateway: boolean;
  /** A container reaches itself through an address that leads back to it, such as that of a Service. */
  readonly hairpinMode: boolean;
  readonly mtu: number | undefined;
  readonly dns: JsonObject;
  /** The capability `portMappings`: the runtime may ask for ports of the node. */
  readonly hasPorts: boolean;
}

/** What runtimes and libcni add to every configuration, beside what belongs to this plugin. */
const COMMON_FIELDS = [
  "cniVersion",
  "cniVersions",
  "name",
  "type",
  "args",
  "capabilities",
  "runtimeConfig",
  "prevResult",
  "dns",
  "ipam",
];
const FIELDS = ["bridge", "isGateway", "isDefaultGateway", "hairpinMode", "mtu"];
/** Fields of other bridge plugins in whose absence this one behaves as they do: harmless while they say so. */
const OFF_FIELDS = [
  "ipMasq",
  "promiscMode",
  "vlan",
  "vlanTrunk",
  "macspoofchk",
  "forceAddress",
  "enabledad",
  "disableContainerInterface",
  "portIsolation",
];

const MTU_MIN = 68;
const MTU_MAX = 65535;

export function parseBridgeConfig(config: JsonObject): BridgeConfig {
  const isOff = ([key, value]: [string, unknown]): boolean =>
    (OFF_FIELDS.includes(key) && (value === false || value === 0 || value === "")) || key.includes("/");
  const own = Object.fromEntries(Object.entries(config).filter((entry) => !isOff(entry)));
  refuseUnknown(own, [...COMMON_FIELDS, ...FIELDS]);
  const isDefaultGateway = flag(config, "isDefaultGateway");
  return {
    bridge: bridgeName(config["bridge"] ?? "cni0"),
    isGateway: flag(config, "isGateway") || isDefaultGateway,
    isDefaultGateway,
    hairpinMode: flag(config, "hairpinMode"),
    mtu: mtuOf(config["mtu"]),
    dns: isObject(config["dns"]) ? config["dns"] : {},
    hasPorts: isObject(config["capabilities"]) && config["capabilities"]["portMappings"] === true,
  };
}

function bridgeName(value: unknown): string {
  if (typeof value !== "string" || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/.test(value)) {
    throw new CniError(
      CniCode.invalidConfig,
      "bridge is not the name of an interface",
      `bridge=${JSON.stringify(value)}`,
    );
  }
  return value;
}

function flag(config: JsonObject, name: string): boolean {
  const value = config[name] ?? false;
  if (typeof value !== "boolean")
    throw new CniError(CniCode.invalidConfig, `${name} is not true or false`, `${name}=${JSON.stringify(value)}`);
  return value;
}

function mtuOf(value: unknown): number | undefined {
  if (value === undefined || value === 0) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < MTU_MIN || value > MTU_MAX) {
    throw new CniError(CniCode.invalidConfig, "mtu is not a size of packets", `mtu=${JSON.stringify(value)}`);
  }
  return value;
}
