import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { kubectlFolder } from "../../cli/kubectl.ts";
import { CONFIG_MAPS, type CountingMap, numberOf } from "./acked-writer.ts";
import type { SplitAccess } from "./split-access.ts";

const RETRY_MS = 100;

/**
 * One client that sees an `AckedWriter` at work: reads that are not older than what it has seen, each on a connection of
 * its own, and a real `kubectl get --watch`, started again when it ends. Notes whatever is older (invariant 19).
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
  #revision = "0";
  #running: Promise<unknown> | undefined;

  constructor(access: SplitAccess, kubeconfig: string) {
    this.#access = access;
    this.#kubeconfig = kubeconfig;
  }

  start(): void {
    this.#running ??= Promise.all([this.#again(() => this.#read()), this.#watch()]);
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

  readonly #readNumbers = new Map<string, number>();

  /** Turn by turn: the newest, and whatever is not older than what was seen. */
  async #read(): Promise<void> {
    const query = this.reads % 2 === 0 ? "" : `?resourceVersion=${this.#revision}`;
    const { status, text } = await this.#access.request("GET", `${CONFIG_MAPS}${query}`);
    // What cannot be answered from what is proven must be an error.
    if (status !== 200) return;
    this.reads++;
    const list = JSON.parse(text) as { metadata: { resourceVersion: string }; items: CountingMap[] };
    const { resourceVersion } = list.metadata;
    if (Number(resourceVersion) < Number(this.#revision)) {
      this.violations.push(`list${query} is of ${resourceVersion} after ${this.#revision}`);
    }
    this.#revision = resourceVersion;
    for (const map of list.items)
      this.#seen(this.#readNumbers, `list${query}: ${map.metadata.name}`, map.metadata.name, numberOf(map));
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
        this.#seen(numbers, `kubectl: ${line}`, name, Number(number ?? -1));
      });
      await exited(child);
      this.#stopper.signal.removeEventListener("abort", stop);
    });
  }

  #seen(numbers: Map<string, number>, what: string, name: string, number: number): void {
    const before = numbers.get(name) ?? -1;
    if (number < before) this.violations.push(`${what}: ${number} after ${before}`);
    numbers.set(name, Math.max(before, number));
  }
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once("close", () => resolve()));
}
