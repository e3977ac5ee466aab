import { request as requestTls } from "node:https";
import type { Clock } from "../../lib/core/clock.ts";
import type { Container, LifecycleHandler } from "../../lib/gen/k8s/core/v1.ts";
import { request } from "../../lib/process/node-http.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Runs a container's postStart or preStop handler; throws when it fails. */
export async function runHook(
  components: { runtime: Runtime; clock: Clock },
  handler: LifecycleHandler,
  target: { container: Container; containerId: string; podIp: string; timeoutSeconds: number; signal?: AbortSignal },
): Promise<void> {
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const result = await components.runtime.exec(target.containerId, command, target.timeoutSeconds);
    if (result.exitCode !== 0)
      throw new Error(`command '${command.join(" ")}' exited with ${result.exitCode}: ${result.stderr}`);
  } else if (handler.sleep !== undefined) {
    await components.clock.sleep(Number(handler.sleep.seconds ?? 0) * 1_000, target.signal);
  } else if (handler.httpGet !== undefined) {
    const { host, path, port, scheme, httpHeaders } = handler.httpGet;
    const headers = Object.fromEntries((httpHeaders ?? []).map(({ name = "", value = "" }) => [name, value]));
    await get({
      secure: scheme === "HTTPS",
      host: host ?? target.podIp,
      port: portNumber(target.container, port),
      path: path ?? "/",
      headers,
      timeoutMs: target.timeoutSeconds * 1_000,
    });
  }
}

interface HookRequest {
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

function get(options: HookRequest): Promise<void> {
  const { secure, host, port, path, headers, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    const send = secure ? requestTls : request;
    // A pod's own certificate is nobody's business here, as with probes.
    const call = send({ host, port, path, headers, timeout: timeoutMs, rejectUnauthorized: false }, (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      if (status >= 400) reject(new Error(`HTTP hook answered ${status}`));
      else resolve();
    });
    call.on("timeout", () => call.destroy(new Error("HTTP hook timed out")));
    call.on("error", reject);
    call.end();
  });
}

/** A port by number, or by the name that the container gives it. */
export function portNumber(container: Container, port: number | string | undefined): number {
  if (typeof port === "number") return port;
  const named = (container.ports ?? []).find((each) => each.name === port);
  return named === undefined ? Number(port ?? 0) : Number(named.containerPort ?? 0);
}
