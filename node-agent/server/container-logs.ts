import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { type Clock, formatNanoTime } from "../../lib/core/clock.ts";
import type { Pod } from "../../lib/gen/k8s/core/v1.ts";
import { type LogOptions, readLog } from "../logs/log-reader.ts";
import { attemptsOf, podUid } from "../pods/pod-facts.ts";
import type { PodSource } from "../pods/pod-source.ts";
import type { ContainerState, Runtime } from "../runtime/runtime.ts";
import { HttpError } from "./http-error.ts";

export interface LogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly query: URLSearchParams;
}

/** `GET /containerLogs/{namespace}/{pod}/{container}`: upstream's options, upstream's refusals. */
export async function serveContainerLogs(
  components: { runtime: Runtime; source: PodSource; clock: Clock },
  request: LogRequest,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { runtime, source, clock } = components;
  const options = parseOptions(request.query, clock.nowMs());
  const pod = source
    .list()
    .find((each) => each.metadata?.namespace === request.namespace && each.metadata?.name === request.pod);
  if (pod === undefined) throw new HttpError(404, `pod "${request.pod}" not found`);
  const container = await findContainer(runtime, pod, request.container, request.query.get("previous") === "true");
  const uid = podUid(pod);
  const target = {
    open: () => runtime.openLog(container),
    running: async () => {
      const { containers } = await runtime.readPod(uid);
      const state = containers.find((each) => each.id === container.id)?.state;
      return state === "running" || state === "created" || state === "unknown";
    },
  };
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  response.flushHeaders();
  for await (const chunk of readLog({ clock }, target, options, signal)) {
    if (!response.write(chunk)) await once(response, "drain", { signal });
  }
  response.end();
}

async function findContainer(runtime: Runtime, pod: Pod, name: string, previous: boolean): Promise<ContainerState> {
  const spec = pod.spec ?? {};
  const known = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].some((each) => each.name === name);
  if (!known) throw new HttpError(404, `container "${name}" not found in pod "${pod.metadata?.name}"`);
  const state = await runtime.readPod(podUid(pod));
  const attempts = attemptsOf(state, name);
  const [latest, before] = attempts;
  const podName = pod.metadata?.name;
  if (previous) {
    const ended = latest?.state === "exited" && waits(pod, name) ? latest : before;
    if (ended === undefined)
      throw new HttpError(400, `previous terminated container "${name}" in pod "${podName}" not found`);
    return ended;
  }
  if (latest === undefined || latest.state === "created") {
    const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    const waiting = statuses.find((status) => status.name === name)?.state?.waiting?.reason ?? "ContainerCreating";
    throw new HttpError(400, `container "${name}" in pod "${podName}" is waiting to start: ${waiting}`);
  }
  return latest;
}

/** In back-off the last attempt is already the previous one. */
function waits(pod: Pod, name: string): boolean {
  const status = pod.status?.containerStatuses?.find((each) => each.name === name);
  return status?.state?.waiting !== undefined;
}

function parseOptions(query: URLSearchParams, nowMs: number): LogOptions {
  const tailLines = wholeNumber(query, "tailLines", 0);
  const limitBytes = wholeNumber(query, "limitBytes", 1);
  const sinceSeconds = wholeNumber(query, "sinceSeconds", 1);
  const sinceTime = query.get("sinceTime");
  if (sinceTime !== null && Number.isNaN(globalThis.Date.parse(sinceTime)))
    throw new HttpError(400, `invalid sinceTime "${sinceTime}"`);
  const since = sinceSeconds === undefined ? (sinceTime ?? undefined) : formatNanoTime(nowMs - sinceSeconds * 1_000);
  return {
    follow: query.get("follow") === "true",
    timestamps: query.get("timestamps") === "true",
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(since === undefined ? {} : { since }),
    ...streamOf(query),
  };
}

function streamOf(query: URLSearchParams): { stream?: "stdout" | "stderr" } {
  const stream = query.get("stream");
  if (stream === "Stdout") return { stream: "stdout" };
  return stream === "Stderr" ? { stream: "stderr" } : {};
}

function wholeNumber(query: URLSearchParams, name: string, least: number): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  const value = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(value)) throw new HttpError(400, `${name} must be a whole number`);
  if (value < least) throw new HttpError(422, `${name} must be greater than or equal to ${least}`);
  return value;
}
