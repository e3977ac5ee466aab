import { CniCode, CniError } from "./cni-error.ts";
import { isSupported } from "./versions.ts";

export const COMMANDS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;
export type Command = (typeof COMMANDS)[number];

export type JsonObject = Readonly<Record<string, unknown>>;

/** One interface of one container, as the runtime knows it. */
export interface Attachment {
  readonly containerId: string;
  readonly interfaceName: string;
}

/** What a plugin is asked, checked. */
export interface Request extends Attachment {
  readonly command: Command;
  /** Path of the container's network namespace; empty where the command does not need one. */
  readonly netns: string;
  readonly args: ReadonlyMap<string, string>;
  readonly cniVersion: string;
  /** Name of the network; safe as a file name. */
  readonly network: string;
  readonly config: JsonObject;
  /** For GC: what still exists. */
  readonly validAttachments: readonly Attachment[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Longest name of a Linux network interface. */
const INTERFACE_NAME_LENGTH = 15;
/** Interface names that the kernel refuses or keeps for itself. */
const RESERVED_INTERFACE_NAMES = [".", "..", "all", "default", "lo"];
const NAME_FORM = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** The command alone, so that VERSION can be answered whatever else is wrong. */
export function parseCommand(env: Environment): Command {
  const command = env["CNI_COMMAND"] ?? "";
  const known = COMMANDS.find((candidate) => candidate === command);
  if (known === undefined)
    throw environmentError("CNI_COMMAND", command === "" ? "is missing" : `is unknown: ${command}`);
  return known;
}

/** Checks environment and configuration together; `loopback` may be asked for `lo`. */
export function parseRequest(command: Command, env: Environment, stdin: string): Request {
  const isAttachmentCommand = command === "ADD" || command === "DEL" || command === "CHECK";
  const containerId = isAttachmentCommand ? checkedContainerId(env["CNI_CONTAINERID"] ?? "") : "";
  const interfaceName = isAttachmentCommand ? checkedInterfaceName(env["CNI_IFNAME"] ?? "") : "";
  const netns = env["CNI_NETNS"] ?? "";
  if (netns === "" && (command === "ADD" || command === "CHECK")) throw environmentError("CNI_NETNS", "is missing");
  if (netns !== "" && !netns.startsWith("/")) throw environmentError("CNI_NETNS", "is not an absolute path");
  const config = parseConfig(stdin);
  const cniVersion = checkedVersion(config, command);
  return {
    command,
    containerId,
    interfaceName,
    netns,
    args: parseArgs(env["CNI_ARGS"] ?? ""),
    cniVersion,
    network: checkedNetworkName(config["name"]),
    config,
    validAttachments: command === "GC" ? parseAttachments(config) : [],
  };
}

/** The version that a caller asks for, as far as it can be read: an error answer carries it. */
export function versionOf(stdin: string): string | undefined {
  try {
    const version = parseConfig(stdin)["cniVersion"];
    return typeof version === "string" ? version : undefined;
  } catch {
    return undefined;
  }
}

function parseConfig(stdin: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(stdin);
  } catch (cause) {
    const why = stdin.trim() === "" ? "the configuration on standard input is empty" : "the configuration is not JSON";
    throw new CniError(CniCode.decodeFailure, why, cause instanceof Error ? cause.message : undefined, cause);
  }
  if (!isObject(value)) throw new CniError(CniCode.decodeFailure, "the configuration is not a JSON object");
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkedVersion(config: JsonObject, command: Command): string {
  // By the specification a missing version means 0.1.0.
  const version = config["cniVersion"] ?? "0.1.0";
  if (typeof version !== "string") throw new CniError(CniCode.invalidConfig, "cniVersion is not a string");
  if (!isSupported(version, command)) {
    const message = `cniVersion ${JSON.stringify(version)} is not supported`;
    throw new CniError(CniCode.incompatibleVersion, command === "VERSION" ? message : `${message} for ${command}`);
  }
  return version;
}

function checkedNetworkName(name: unknown): string {
  if (typeof name !== "string" || !NAME_FORM.test(name) || name.length > 255) {
    throw new CniError(CniCode.invalidConfig, `name ${JSON.stringify(name)} is not the name of a network`);
  }
  return name;
}

function checkedContainerId(id: string): string {
  if (id === "") throw environmentError("CNI_CONTAINERID", "is missing");
  if (!NAME_FORM.test(id) || id.length > 255)
    throw environmentError("CNI_CONTAINERID", "has characters that are not allowed");
  return id;
}

function checkedInterfaceName(name: string): string {
  if (name === "") throw environmentError("CNI_IFNAME", "is missing");
  const badCharacter = [...name].some((char) => char <= " " || char > "~" || char === "/" || char === ":");
  if (badCharacter) throw environmentError("CNI_IFNAME", "has characters that are not allowed");
  if (name.length > INTERFACE_NAME_LENGTH)
    throw environmentError("CNI_IFNAME", `is longer than ${INTERFACE_NAME_LENGTH} characters`);
  // "lo" is what the loopback plugin is asked for; no other plugin can make it, since it exists.
  if (RESERVED_INTERFACE_NAMES.includes(name) && name !== "lo")
    throw environmentError("CNI_IFNAME", `cannot be ${name}`);
  return name;
}

function parseArgs(text: string): Map<string, string> {
  const args = new Map<string, string>();
  for (const pair of text.split(";").filter((part) => part !== "")) {
    const at = pair.indexOf("=");
    if (at < 1) throw environmentError("CNI_ARGS", `is not a list of KEY=VALUE: ${pair}`);
    args.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return args;
}

function parseAttachments(config: JsonObject): Attachment[] {
  const listed = config["cni.dev/valid-attachments"] ?? config["cni.dev/attachments"];
  // Without the list nothing is known about what is valid; to take that for "nothing is valid" would be fatal.
  if (!Array.isArray(listed)) {
    throw new CniError(CniCode.invalidConfig, "cni.dev/valid-attachments is missing or not a list");
  }
  return listed.map((entry: unknown) => {
    const { containerID, ifname } = isObject(entry) ? entry : {};
    if (typeof containerID !== "string" || typeof ifname !== "string") {
      throw new CniError(CniCode.invalidConfig, "an entry of cni.dev/valid-attachments lacks containerID or ifname");
    }
    return { containerId: containerID, interfaceName: ifname };
  });
}

function environmentError(variable: string, why: string): CniError {
  return new CniError(CniCode.invalidEnvironment, `${variable} ${why}`, variable);
}
