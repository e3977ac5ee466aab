import { emptyObject, isJsonObject, memberOf } from "../../json-value.ts";
import type { DefaultHook } from "../default-hook.ts";

/** KEP-2161: every namespace can be selected by its name. */
const NAME_LABEL = "kubernetes.io/metadata.name";

export const namespaceNameLabel: DefaultHook = (namespace) => {
  const metadata = memberOf(namespace, "metadata");
  const name = isJsonObject(metadata) ? memberOf(metadata, "name") : undefined;
  if (!isJsonObject(metadata) || name === undefined) return;
  const labels = memberOf(metadata, "labels");
  const named = isJsonObject(labels) ? labels : emptyObject();
  named[NAME_LABEL] = name;
  metadata["labels"] = named;
};
