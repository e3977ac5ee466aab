import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { PeerCertificate } from "node:tls";
import type { KeyPair } from "../../../lib/core/key-pair.ts";
import type { Log } from "../../../lib/core/log.ts";
import { badRequest, invalid, StatusError } from "../../../lib/core/status-error.ts";
import type { CachedReads } from "../admission/cached-reads.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../core/kube-object.ts";
import type { Target } from "../core/request.ts";

export interface KubeletClientOptions extends KeyPair {
  /** Authority of the kubelets' serving certificates. */
  readonly caPem: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Parameters that go to the kubelet as they came. */
const PASSED_ON = [
  "follow",
  "previous",
  "sinceSeconds",
  "sinceTime",
  "timestamps",
  "tailLines",
  "limitBytes",
  "stream",
];
const LOWEST: Readonly<Record<string, number>> = { tailLines: 0, limitBytes: 1, sinceSeconds: 1 };

/** `pods/NAME/log`: the kubelet of the pod's node has the text; it is passed on as it comes. */
export class PodLog {
  readonly #reads: Pick<CachedReads, "find">;
  readonly #log: Log;
  readonly #options: KubeletClientOptions | undefined;
  #agent: Agent | undefined;

  constructor(components: { reads: Pick<CachedReads, "find">; log: Log }, options: KubeletClientOptions | undefined) {
    this.#reads = components.reads;
    this.#log = components.log;
    this.#options = options;
    if (options !== undefined) this.renew(options);
  }

  /** Connections to kubelets that are made from now on show this certificate; logs that run go on. */
  renew(pair: KeyPair): void {
    const { caPem: ca } = this.#options ?? {};
    this.#agent = new Agent({
      cert: pair.certPem,
      key: pair.keyPem,
      ...(ca === undefined ? {} : { ca }),
      keepAlive: true,
    });
  }

  close(): void {
    this.#agent?.destroy();
  }

  /** The kubelet's answer, whose body is still to be read; undefined while the pod has no node, and so no log. */
  async open(
    target: Pick<Target, "namespace" | "name">,
    pod: KubeObject,
    query: URLSearchParams,
    signal: AbortSignal,
  ): Promise<IncomingMessage | undefined> {
    checkOptions(query, target.name);
    const container = containerOf(pod, query.get("container") ?? "");
    const nodeName = textAt(pod, "spec", "nodeName");
    if (nodeName === "") return undefined;
    const { host, port } = await this.#kubeletOf(nodeName);
    const parameters = new URLSearchParams();
    for (const name of PASSED_ON) for (const value of query.getAll(name)) parameters.append(name, value);
    const path = `/containerLogs/${target.namespace}/${target.name}/${container}?${parameters}`;
    const answer = await this.#ask({ host, port, path }, signal);
    if (answer.statusCode === 200) return answer;
    throw await kubeletStatus(answer);
  }

  async #kubeletOf(nodeName: string): Promise<{ host: string; port: number }> {
    const node = await this.#reads.find("nodes", "", nodeName);
    const port = Number(valueAt(node, "status", "daemonEndpoints", "kubeletEndpoint", "Port") ?? 0);
    const addresses = listAt(node, "status", "addresses");
    const internal = addresses.find((address) => address["type"] === "InternalIP") ?? addresses[0];
    const host = textAt(internal, "address");
    if (host === "" || port === 0)
      throw new StatusError(500, "InternalError", `node ${nodeName} does not say where its kubelet is`);
    return { host, port };
  }

  async #ask(at: { host: string; port: number; path: string }, signal: AbortSignal): Promise<IncomingMessage> {
    const agent = this.#agent;
    if (agent === undefined)
      throw new StatusError(501, "NotImplemented", "this server has no credentials for kubelets");
    return await new Promise((resolve, reject) => {
      let isAnswered = false;
      const request = httpsRequest({ ...at, agent, signal, timeout: CONNECT_TIMEOUT_MS }, (answer) => {
        isAnswered = true;
        resolve(answer);
      });
      // A log that is followed may be silent for as long as it likes.
      request.on("timeout", () => {
        if (!isAnswered) request.destroy(new Error("the kubelet does not answer in time"));
      });
      request.on("error", (error) => {
        this.#log.warn("kubelet cannot be reached", { host: at.host, port: at.port, error: String(error) });
        const message = `Get "https://${at.host}:${at.port}${at.path}": ${whyNotReached(error, at.host)}`;
        reject(new StatusError(500, "InternalError", message));
      });
      request.end();
    });
  }
}

function checkOptions(query: URLSearchParams, name: string): void {
  const causes = [];
  for (const [option, lowest] of Object.entries(LOWEST)) {
    const text = query.get(option);
    if (text === null || text === "") continue;
    if (!/^-?[0-9]+$/.test(text))
      throw badRequest(`${option}: Invalid value: ${JSON.stringify(text)}: must be a number`);
    if (Number(text) >= lowest) continue;
    const detail = lowest === 0 ? "must be greater than or equal to 0" : "must be greater than 0";
    causes.push({ reason: "FieldValueInvalid", message: `Invalid value: ${text}: ${detail}`, field: option });
  }
  if (query.has("sinceSeconds") && query.has("sinceTime")) {
    const message = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified";
    causes.push({ reason: "FieldValueForbidden", message, field: "" });
  }
  if (causes.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, name, causes);
}

/** The container that is meant; without a name there must be only one to mean. */
function containerOf(pod: KubeObject, asked: string): string {
  const names = (list: string): string[] => listAt(pod, "spec", list).map((container) => textAt(container, "name"));
  const [containers, init, ephemeral] = [names("containers"), names("initContainers"), names("ephemeralContainers")];
  const podName = pod.metadata?.name ?? "";
  if (asked !== "") {
    if ([...containers, ...init, ...ephemeral].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${podName}`);
  }
  const [only] = containers;
  if (only !== undefined && containers.length === 1) return only;
  const chooseFrom = `a container name must be specified for pod ${podName}, choose one of: [${containers.join(" ")}]`;
  throw badRequest(init.length === 0 ? chooseFrom : `${chooseFrom} or one of the init containers: [${init.join(" ")}]`);
}

/** The certificate is checked by what is connected to, an address of the Node object. */
function whyNotReached(error: NodeJS.ErrnoException & { cert?: PeerCertificate }, host: string): string {
  if (error.code !== "ERR_TLS_CERT_ALTNAME_INVALID") return error.message;
  const names = error.cert?.subjectaltname ?? "no name";
  return `the kubelet's certificate is valid for ${names}, not for ${host}, the address in its Node's status`;
}

/** What the kubelet said instead of a log; a bounded part of its text is shown. */
async function kubeletStatus(answer: IncomingMessage): Promise<StatusError> {
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) {
    text += chunk as string;
    if (text.length > 1024) break;
  }
  const message = text.slice(0, 1024).trim();
  const code = answer.statusCode ?? 500;
  if (code === 404)
    return new StatusError(
      404,
      "NotFound",
      `the server could not find the requested resource${message === "" ? "" : ` ( pods/log ${message})`}`,
    );
  if (code === 400) return badRequest(message);
  return new StatusError(code >= 400 ? code : 500, code >= 500 ? "InternalError" : "Unknown", message);
}
