import { keyOf } from "../../../lib/client/api-object.ts";
import { Controller } from "../../../lib/controller/controller.ts";
import { allSynced } from "../../../lib/controller/informer-set.ts";
import { parseTimeMs } from "../../../lib/core/clock.ts";
import { asStatusError } from "../../../lib/core/status-error.ts";
import type { Secret } from "../../../lib/gen/k8s/core/v1.ts";
import { secrets } from "../../../lib/gen/k8s/resources.ts";
import type { ControllerFactory } from "../manager-context.ts";

const NAMESPACE = "kube-system";
const TYPE = "bootstrap.kubernetes.io/token";

/** Deletes bootstrap tokens when their time is over. */
export const tokenCleaner: ControllerFactory = (context) => {
  const { api, clock, informers } = context;
  const tokens = informers.selected(secrets, { namespace: NAMESPACE, fieldSelector: `type=${TYPE}` });
  const options = { name: "token-cleaner-controller", whenSynced: allSynced([tokens]) };
  const controller = new Controller(context, options, async (key) => {
    const token = tokens.store.get(key);
    const expiration = Buffer.from(token?.data?.["expiration"] ?? "", "base64").toString("utf8");
    if (token === undefined || expiration === "") return undefined;
    const leftMs = parseTimeMs(expiration) - clock.nowMs();
    if (leftMs > 0) return { afterMs: leftMs };
    // One whose time cannot be read is refused, and left to who made it.
    if (Number.isNaN(leftMs)) return undefined;
    const { name = "", uid = "" } = token.metadata ?? {};
    await api.delete(secrets, { namespace: NAMESPACE, name }, { uid }).catch((thrown: unknown) => {
      const { code } = asStatusError(thrown);
      if (code !== 404 && code !== 409) throw thrown;
    });
    return undefined;
  });
  const enqueue = (token: Secret) => controller.queue.add(keyOf(token));
  tokens.addHandler({ added: enqueue, updated: enqueue });
  return controller;
};
