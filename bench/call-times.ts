import type { Runtime } from "../node-agent/runtime/runtime.ts";

/** When calls were under way. */
export class CallTimes {
  readonly #spans: { readonly fromMs: number; readonly toMs: number }[] = [];

  add(fromMs: number, toMs: number): void {
    this.#spans.push({ fromMs, toMs });
  }

  /** How much of a stretch at least one call was under way; calls beside each other count once. */
  busyMs(fromMs: number, toMs: number): number {
    let busyMs = 0;
    let coveredToMs = fromMs;
    for (const span of this.#spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
      const startMs = Math.max(span.fromMs, coveredToMs);
      const endMs = Math.min(span.toMs, toMs);
      if (endMs <= startMs) continue;
      busyMs += endMs - startMs;
      coveredToMs = endMs;
    }
    return busyMs;
  }
}

/** The same runtime, with the time of each of its calls noted. */
export function withCallTimes(runtime: Runtime, times: CallTimes): Runtime {
  return new Proxy(runtime, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        const fromMs = performance.now();
        const result: unknown = value.apply(target, args);
        if (!(result instanceof Promise)) return result;
        return result.finally(() => times.add(fromMs, performance.now()));
      };
    },
  });
}
