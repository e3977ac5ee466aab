import type { Runtime } from "../runtime/runtime.ts";

/** What happens to a call on its way; throw to lose it, await to delay it. */
export interface Faults {
  /** Before the runtime hears of it. */
  before?: ((method: string, args: readonly unknown[]) => Promise<void> | void) | undefined;
  /** After it happened: the agent does not learn how it ended. */
  after?: ((method: string, args: readonly unknown[]) => Promise<void> | void) | undefined;
  /** Every call, in order. */
  readonly calls: string[];
}

/** Not calls over a wire. */
const LOCAL = ["watch", "start", "stop"];

/** The same runtime behind a wire that can fail. */
export function withFaults(runtime: Runtime, faults: Faults): Runtime {
  const faulty = async (method: string, args: readonly unknown[], call: () => unknown): Promise<unknown> => {
    faults.calls.push(method);
    await faults.before?.(method, args);
    const result = await call();
    await faults.after?.(method, args);
    return result;
  };
  return intercepted(runtime, (method, args, call) => (LOCAL.includes(method) ? call() : faulty(method, args, call)));
}

/** The same object for somebody who can be killed: from then on nothing that it asks for happens. */
export function untilKilled<T extends object>(target: T, isKilled: () => boolean): T {
  return intercepted(target, (_method, _args, call) => {
    if (isKilled()) throw new Error("killed");
    return call();
  });
}

function intercepted<T extends object>(
  target: T,
  around: (method: string, args: readonly unknown[], call: () => unknown) => unknown,
): T {
  return new Proxy(target, {
    get(_target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function" || typeof property !== "string") return value;
      return (...args: unknown[]) => around(property, args, () => value.apply(target, args));
    },
  });
}
