import type { DefaultHook } from "../default-hook.ts";

const REFERENCE = /^(?:[^/@]+\/)*[^/:@]+(?::([\w][\w.-]{0,127}))?(@[A-Za-z][\w+.-]*:[0-9a-fA-F]{32,})?$/;

/** An image without tag and digest is `latest`, and `latest` is always pulled; what is no reference counts as another. */
function policyOf(image: unknown): string {
  const match = typeof image === "string" ? REFERENCE.exec(image) : null;
  if (match === null) return "IfNotPresent";
  const tag = match[1] ?? (match[2] === undefined ? "latest" : "");
  return tag === "latest" ? "Always" : "IfNotPresent";
}

export const imagePullPolicy: DefaultHook = (container) => {
  container["imagePullPolicy"] ??= policyOf(container["image"]);
};

export const imageVolumePullPolicy: DefaultHook = (volume) => {
  volume["pullPolicy"] ??= policyOf(volume["reference"]);
};
