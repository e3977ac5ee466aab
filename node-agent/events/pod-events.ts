import type { EventRecorder } from "../../lib/controller/event-recorder.ts";
import type { Container, ObjectReference, Pod } from "../../lib/gen/k8s/core/v1.ts";

/** Records events about one pod, or one of its containers. */
export class PodEvents {
  readonly #recorder: EventRecorder;

  constructor(recorder: EventRecorder) {
    this.#recorder = recorder;
  }

  normal(pod: Pod, container: Container | undefined, reason: string, message: string): void {
    this.#recorder.record(referenceTo(pod, container), "Normal", reason, message);
  }

  warning(pod: Pod, container: Container | undefined, reason: string, message: string): void {
    this.#recorder.record(referenceTo(pod, container), "Warning", reason, message);
  }
}

function referenceTo(pod: Pod, container: Container | undefined): ObjectReference {
  const { name, namespace, uid, resourceVersion } = pod.metadata ?? {};
  const isInit = pod.spec?.initContainers?.some((each) => each.name === container?.name) ?? false;
  return {
    apiVersion: "v1",
    kind: "Pod",
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(container === undefined
      ? {}
      : { fieldPath: `spec.${isInit ? "initContainers" : "containers"}{${container.name}}` }),
  };
}
