import { RpcError } from "../../../lib/transport/rpc-error.ts";
import { RuntimeError, type RuntimeErrorCode } from "../runtime.ts";

const CODES: Readonly<Partial<Record<RpcError["code"], RuntimeErrorCode>>> = {
  NOT_FOUND: "not-found",
  DEADLINE_EXCEEDED: "timeout",
  CANCELLED: "timeout",
  UNAVAILABLE: "unavailable",
  UNIMPLEMENTED: "unimplemented",
};

/** containerd 1.6 tells the end of an exec's time by text alone. */
const EXEC_TIMEOUT = /timeout .* exceeded: context deadline exceeded/;

/** A failed CRI call as RuntimeError; the message is the runtime's own. */
export async function translated<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (thrown) {
    if (!(thrown instanceof RpcError)) throw thrown;
    const code = EXEC_TIMEOUT.test(thrown.message) ? "timeout" : (CODES[thrown.code] ?? "failed");
    throw new RuntimeError(code, thrown.message, { cause: thrown });
  }
}

/** The thing is gone already, which is what was wanted. */
export async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await translated(call);
  } catch (thrown) {
    if (thrown instanceof RuntimeError && thrown.code === "not-found") return;
    throw thrown;
  }
}
