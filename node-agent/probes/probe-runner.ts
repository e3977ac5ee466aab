import { request as requestTls } from "node:https";
import { connect } from "node:net";
import { HealthCheckResponse_ServingStatus, HealthDefinition } from "../../lib/gen/grpc/health/v1/health.ts";
import type { Container, GRPCAction, HTTPGetAction, Probe } from "../../lib/gen/k8s/core/v1.ts";
import { request } from "../../lib/process/node-http.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { RpcError } from "../../lib/transport/rpc-error.ts";
import { portNumber } from "../pods/life-cycle-hook.ts";
import { type ContainerState, type Runtime, RuntimeError } from "../runtime/runtime.ts";

export interface ProbeAnswer {
  readonly result: "success" | "failure" | "unknown";
  /** For the event of a failure. */
  readonly output: string;
}

export interface ProbeTarget {
  readonly container: Container;
  readonly state: ContainerState;
  readonly podIp: string;
}

/** Asks a container once. Never throws. */
export interface ProbeRunner {
  run(probe: Probe, target: ProbeTarget): Promise<ProbeAnswer>;
}

const BODY_LIMIT_BYTES = 10 * 1024;
const USER_AGENT = "kube-probe/1.36";

/** Asks by exec through the runtime, by HTTP and by TCP from this node. */
export class HostProbeRunner implements ProbeRunner {
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  async run(probe: Probe, target: ProbeTarget): Promise<ProbeAnswer> {
    const timeoutSeconds = Number(probe.timeoutSeconds ?? 1);
    if (probe.exec !== undefined)
      return await execProbe(this.#runtime, probe.exec.command ?? [], target, timeoutSeconds);
    if (probe.httpGet !== undefined) return await httpProbe(probe.httpGet, target, timeoutSeconds * 1_000);
    if (probe.tcpSocket !== undefined) {
      const port = portNumber(target.container, probe.tcpSocket.port);
      return await tcpProbe(probe.tcpSocket.host ?? target.podIp, port, timeoutSeconds * 1_000);
    }
    if (probe.grpc !== undefined) return await grpcProbe(probe.grpc, target.podIp, timeoutSeconds * 1_000);
    return { result: "unknown", output: "this kind of probe is not supported by this node" };
  }
}

/** On a simulated node every probe is answered by what the container's behaviour says of `exec`. */
export class SimulatedProbeRunner implements ProbeRunner {
  readonly #runtime: Runtime;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  run(_probe: Probe, target: ProbeTarget): Promise<ProbeAnswer> {
    return execProbe(this.#runtime, [], target, 1);
  }
}

async function execProbe(
  runtime: Runtime,
  command: readonly string[],
  target: ProbeTarget,
  timeoutSeconds: number,
): Promise<ProbeAnswer> {
  try {
    const { exitCode, stdout, stderr } = await runtime.exec(target.state.id, command, timeoutSeconds);
    return { result: exitCode === 0 ? "success" : "failure", output: (stdout + stderr).slice(0, BODY_LIMIT_BYTES) };
  } catch (thrown) {
    const timedOut = thrown instanceof RuntimeError && thrown.code === "timeout";
    const output = timedOut ? `command timed out after ${timeoutSeconds}s` : String(thrown);
    return { result: timedOut ? "failure" : "unknown", output };
  }
}

function httpProbe(action: HTTPGetAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeAnswer> {
  const given = (action.httpHeaders ?? []).map(({ name = "", value = "" }) => [name.toLowerCase(), value]);
  const headers = { "user-agent": USER_AGENT, accept: "*/*", connection: "close", ...Object.fromEntries(given) };
  const port = portNumber(target.container, action.port);
  const host = action.host ?? target.podIp;
  // A probe asks whether the server answers, not who it is; source: kubernetes/website, "HTTP probes".
  const options = { host, port, path: action.path ?? "/", headers, agent: false, rejectUnauthorized: false } as const;
  return new Promise((resolve) => {
    const fail = (error: Error) => resolve({ result: "failure", output: `Get "${host}:${port}": ${error.message}` });
    const call = (action.scheme === "HTTPS" ? requestTls : request)(options, (response) => {
      response.resume();
      response.on("error", fail);
      const status = response.statusCode ?? 0;
      const good = status >= 200 && status < 400;
      resolve({ result: good ? "success" : "failure", output: `HTTP probe failed with statuscode: ${status}` });
    });
    const signal = AbortSignal.timeout(timeoutMs);
    const expire = () => call.destroy(new Error("context deadline exceeded"));
    signal.addEventListener("abort", expire, { once: true });
    call.on("close", () => signal.removeEventListener("abort", expire));
    call.on("error", fail);
    call.end();
  });
}

/** KEP-2727: the standard health service, without TLS. */
async function grpcProbe(action: GRPCAction, podIp: string, timeoutMs: number): Promise<ProbeAnswer> {
  const channel = new GrpcChannel({ target: `${podIp}:${action.port}` });
  try {
    const { status } = await channel.client(HealthDefinition).check({ service: action.service ?? "" }, { timeoutMs });
    if (status === HealthCheckResponse_ServingStatus.SERVING) return { result: "success", output: "" };
    return { result: "failure", output: `service unhealthy (responded with ${status})` };
  } catch (thrown) {
    const code = thrown instanceof RpcError ? thrown.code : "UNKNOWN";
    const known = code === "UNIMPLEMENTED" ? "this server does not implement the grpc health protocol" : code;
    return { result: "failure", output: `error: ${known}: ${thrown instanceof Error ? thrown.message : thrown}` };
  } finally {
    channel.close();
  }
}

function tcpProbe(host: string, port: number, timeoutMs: number): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (answer: ProbeAnswer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", () => end({ result: "success", output: "" }));
    socket.on("timeout", () => end({ result: "failure", output: `dial tcp ${host}:${port}: i/o timeout` }));
    socket.on("error", (error) => end({ result: "failure", output: `dial tcp ${host}:${port}: ${reasonOf(error)}` }));
  });
}

/** The words that people know from other nodes. */
function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code === "ECONNREFUSED" ? "connect: connection refused" : error.message;
}
