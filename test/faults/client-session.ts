import { type ChildProcess, spawn } from "node:child_process";
import type { ClientHttp2Session } from "node:http2";
import { createInterface } from "node:readline";
import { kubectlFolder } from "../../cli/kubectl.ts";
import { CONFIG_MAPS, type CountingMap, numberOf } from "./acked-writer.ts";
import { type ApiAnswer, getOn, type SplitAccess } from "./split-access.ts";

const RETRY_MS = 100;

/** How long a read may take: one that waits when a frozen server wakes up was sent not long before. */
const READ_LIMIT_MS = 2_000;
const SERVERS = ["api-server-1", "api-server-2"];

/**
 * One client that sees an `AckedWriter` at work: reads through the balancer and at each api-server, and a real
 * `kubectl get --watch`, started again when it ends. Notes whatever is older than what it had seen before (invariant 19).
 */
export class ClientSession {
  readonly violations: string[] = [];
  reads = 0;
  /** Lines of kubectl, and how often it was started. */
  watched = 0;
  started = 0;
  readonly #access: SplitAccess;
  readonly #kubeconfig: string;
  readonly #stopper = new AbortController();
  /** What its reads have shown. */
  #turn = 0;
  #revision = 0;
  readonly #numbers = new Map<string, number>();
  #running: Promise<unknown> | undefined;

  constructor(access: SplitAccess, kubeconfig: string) {
    this.#access = access;
    this.#kubeconfig = kubeconfig;
  }

  start(): void {
    const balanced = () => this.#read("any", (target) => this.#access.request("GET", target));
    this.#running ??= Promise.all([this.#again(balanced), ...SERVERS.map((at) => this.#readAt(at)), this.#watch()]);
  }

  async stop(): Promise<void> {
    this.#stopper.abort();
    await this.#running;
  }

  async #again(step: () => Promise<void>): Promise<void> {
    while (!this.#stopper.signal.aborted) {
      await step().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** On one line, also while nobody answers: a frozen server finds requests there when it wakes up. */
  async #readAt(server: string): Promise<void> {
    let line: ClientHttp2Session | undefined;
    await this.#again(async () => {
      if (line === undefined || line.closed || line.destroyed) line = this.#access.openLine(server);
      const own = line;
      await this.#read(server, (target) => getOn(own, target, READ_LIMIT_MS));
    });
    line?.destroy();
  }

  /** Turn by turn: the newest, and whatever is not older than what was seen. */
  async #read(where: string, get: (target: string) => Promise<ApiAnswer>): Promise<void> {
    const seen = { revision: this.#revision, numbers: new Map(this.#numbers) };
    const query = this.#turn++ % 2 === 0 ? "" : `?resourceVersion=${seen.revision}`;
    const { status, text } = await get(`${CONFIG_MAPS}${query}`);
    // What cannot be answered from what is proven must be an error.
    if (status !== 200) return;
    this.reads++;
    const list = JSON.parse(text) as { metadata: { resourceVersion: string }; items: CountingMap[] };
    const what = `list${query} of ${where}`;
    const revision = Number(list.metadata.resourceVersion);
    if (revision < seen.revision) this.violations.push(`${what}: ${revision} after ${seen.revision}`);
    this.#revision = Math.max(this.#revision, revision);
    for (const map of list.items) {
      const { name } = map.metadata;
      const before = seen.numbers.get(name) ?? -1;
      if (numberOf(map) < before) this.violations.push(`${what}: ${name} is ${numberOf(map)} after ${before}`);
      this.#numbers.set(name, Math.max(this.#numbers.get(name) ?? -1, numberOf(map)));
    }
  }

  /** kubectl lists and watches, so what it shows at first is not older than what it showed at last. */
  async #watch(): Promise<void> {
    const numbers = new Map<string, number>();
    const program = `${await kubectlFolder()}/kubectl`;
    const output = '-o=jsonpath={.metadata.name} {.data.number}{"\\n"}';
    const args = [`--kubeconfig=${this.#kubeconfig}`, "get", "configmaps", "--watch", output];
    await this.#again(async () => {
      this.started++;
      const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
      const stop = () => child.kill("SIGKILL");
      this.#stopper.signal.addEventListener("abort", stop, { once: true });
      createInterface({ input: child.stdout }).on("line", (line) => {
        this.watched++;
        const [name = "", number] = line.split(" ");
        const before = numbers.get(name) ?? -1;
        if (Number(number) < before) this.violations.push(`kubectl: ${line} after ${before}`);
        numbers.set(name, Number(number));
      });
      await exited(child);
      this.#stopper.signal.removeEventListener("abort", stop);
    });
  }
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once("close", () => resolve()));
}
