import type { ApiClient } from "../../lib/client/api-client.ts";
import type { Clock } from "../../lib/core/clock.ts";
import type { Log } from "../../lib/core/log.ts";
import { asStatusError, type StatusError } from "../../lib/core/status-error.ts";
import type { Binding, Pod } from "../../lib/gen/k8s/core/v1.ts";
import { pods } from "../../lib/gen/k8s/resources.ts";

export type BindOutcome =
  | { readonly bound: true }
  | { readonly bound: false; readonly gone: boolean; readonly message: string };

const ASK_AGAIN_MS = 500;

/** Binds through the API. After a failure that leaves the outcome open it asks until it knows. */
export class Binder {
  private readonly components: { api: ApiClient; clock: Clock; log: Log; signal: AbortSignal };

  constructor(components: { api: ApiClient; clock: Clock; log: Log; signal: AbortSignal }) {
    this.components = components;
  }

  async bind(pod: Pod, nodeName: string): Promise<BindOutcome> {
    const { namespace = "", name = "", uid = "" } = pod.metadata ?? {};
    const binding: Binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { namespace, name, uid },
      target: { apiVersion: "v1", kind: "Node", name: nodeName },
    };
    try {
      await this.components.api.createSubresource(pods, { namespace, name }, "binding", binding);
      return { bound: true };
    } catch (thrown) {
      const error = asStatusError(thrown);
      this.components.log.warn("a binding failed", {
        pod: `${namespace}/${name}`,
        node: nodeName,
        error: error.message,
      });
      return this.settle(pod, nodeName, error);
    }
  }

  /** What the API holds decides: the answer to a binding that succeeded may have been lost. */
  private async settle(pod: Pod, nodeName: string, error: StatusError): Promise<BindOutcome> {
    const { api, clock, signal } = this.components;
    const { namespace = "", name = "", uid } = pod.metadata ?? {};
    while (!signal.aborted) {
      try {
        const now = await api.get(pods, { namespace, name });
        if (now.metadata?.uid !== uid) return { bound: false, gone: true, message: error.message };
        if (now.spec?.nodeName === nodeName) return { bound: true };
        const gone = now.spec?.nodeName !== undefined || now.metadata?.deletionTimestamp !== undefined;
        return { bound: false, gone, message: error.message };
      } catch (thrown) {
        if (asStatusError(thrown).code === 404) return { bound: false, gone: true, message: error.message };
        await clock.sleep(ASK_AGAIN_MS, signal).catch(() => {});
      }
    }
    return { bound: false, gone: true, message: error.message };
  }
}
