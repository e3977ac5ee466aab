import type { DefaultHook } from "../default-hook.ts";

/** A volume that names no source is an empty directory. */
export const volumeSource: DefaultHook = (volume) => {
  if (Object.keys(volume).every((name) => name === "name")) volume["emptyDir"] = {};
};
