import type { Clock } from "../../lib/core/clock.ts";
import type { Container, Pod } from "../../lib/gen/k8s/core/v1.ts";
import type { PodEvents } from "../events/pod-events.ts";
import type { ImageCredentials, ImageRecord, Runtime } from "../runtime/runtime.ts";
import { Backoff } from "./backoff.ts";
import type { ConfigSource } from "./config-source.ts";
import { credentialsFor } from "./pull-credentials.ts";
import { StartError } from "./start-error.ts";

const BACKOFF = { initialMs: 10_000, maxMs: 300_000 };

/** Makes sure that an image is here, by the container's policy, with back-off after failures. */
export class ImagePuller {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #events: PodEvents;
  readonly #config: ConfigSource;
  readonly #backoff: Backoff;
  readonly #failures = new Map<string, { atMs: number; message: string }>();

  constructor(components: { runtime: Runtime; clock: Clock; events: PodEvents; config: ConfigSource }) {
    this.#runtime = components.runtime;
    this.#clock = components.clock;
    this.#events = components.events;
    this.#config = components.config;
    this.#backoff = new Backoff(components.clock, BACKOFF);
  }

  /** Throws StartError with upstream's reasons: ErrImageNeverPull, ErrImagePull, ImagePullBackOff. */
  async ensure(pod: Pod, container: Container, signal: AbortSignal): Promise<ImageRecord> {
    const reference = container.image ?? "";
    const policy = container.imagePullPolicy ?? "IfNotPresent";
    if (policy !== "Always") {
      const present = await this.#runtime.findImage(reference);
      if (present !== undefined) {
        const message = `Container image "${reference}" already present on machine and can be accessed by the pod`;
        this.#events.normal(pod, container, "Pulled", message);
        return present;
      }
    }
    if (policy === "Never") {
      const message = `Container image "${reference}" is not present with pull policy of Never`;
      this.#events.warning(pod, container, "ErrImageNeverPull", message);
      throw new StartError("ErrImageNeverPull", message);
    }
    return await this.#pull(pod, container, reference, signal);
  }

  forgetPod(uid: string): void {
    this.#backoff.forget(`${uid}\n`);
    for (const key of this.#failures.keys()) if (key.startsWith(`${uid}\n`)) this.#failures.delete(key);
  }

  async #pull(pod: Pod, container: Container, reference: string, signal: AbortSignal): Promise<ImageRecord> {
    const key = `${pod.metadata?.uid}\n${reference}`;
    const failure = this.#failures.get(key);
    const leftMs = failure === undefined ? 0 : this.#backoff.leftMs(key, failure.atMs);
    if (failure !== undefined && leftMs > 0) {
      const message = `Back-off pulling image "${reference}"`;
      this.#events.normal(pod, container, "BackOff", message);
      throw new StartError("ImagePullBackOff", `${message}: ErrImagePull: ${failure.message}`, leftMs);
    }
    this.#events.normal(pod, container, "Pulling", `Pulling image "${reference}"`);
    const startedMs = this.#clock.monotonicMs();
    try {
      await this.#pullWithCredentials(pod, reference, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      const atMs = this.#clock.monotonicMs();
      this.#backoff.failed(key, atMs);
      this.#failures.set(key, { atMs, message });
      this.#events.warning(pod, container, "Failed", `Failed to pull image "${reference}": ${message}`);
      throw new StartError("ErrImagePull", message, this.#backoff.delayMs(key));
    }
    this.#failures.delete(key);
    const image = await this.#runtime.findImage(reference);
    if (image === undefined) throw new StartError("ErrImagePull", `image "${reference}" is not there after its pull`);
    const took = durationText(this.#clock.monotonicMs() - startedMs);
    const text = `Successfully pulled image "${reference}" in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`;
    this.#events.normal(pod, container, "Pulled", text);
    return image;
  }

  async #pullWithCredentials(pod: Pod, reference: string, signal: AbortSignal): Promise<void> {
    const candidates: (ImageCredentials | undefined)[] = [
      ...(await credentialsFor(pod, reference, this.#config)),
      undefined,
    ];
    let failure: unknown;
    for (const credentials of candidates) {
      try {
        await this.#runtime.pullImage(reference, credentials, signal);
        return;
      } catch (thrown) {
        failure ??= thrown;
        if (signal.aborted) break;
      }
    }
    throw failure instanceof Error ? failure : new Error(String(failure));
  }
}

/** As Go prints a duration in events: `954ms`, `1.2s`. */
function durationText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)}ms` : `${Math.round(ms) / 1_000}s`;
}
