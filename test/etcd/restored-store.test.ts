import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { namespaces } from "../../lib/gen/k8s/resources.ts";
import { ended, freePorts } from "../kit/etcd.ts";
import { eventually } from "../kit/eventually.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { CONFIG_MAPS, etcdStore, namesOf, post, revisionOf, startTwo } from "./two-servers.ts";

/** etcds one after the other at the same address, each with nothing in it. */
class Successors implements AsyncDisposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "keelson-successors-"));
  readonly #ports: readonly number[];
  #child: ChildProcess | undefined;
  #count = 0;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#ports[0]}`;
  }

  async next(): Promise<void> {
    if (this.#child !== undefined) await ended(this.#child);
    const [client, peer] = this.#ports.map((port) => `http://127.0.0.1:${port}`);
    const flags = [
      `--data-dir=${path.join(this.#folder, String(this.#count++))}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      "--log-level=error",
    ];
    this.#child = spawn("etcd", flags, { stdio: "ignore" });
    await eventually(async () => expect((await fetch(`${client}/health`)).status).toBe(200));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await ended(this.#child);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

test.skipIf(skipping("restored-store", whyNotPrograms(["etcd"])))(
  "an etcd that goes back to older revisions under running api-servers: nothing of what is gone is shown, informers list again",
  async () => {
    await using etcd = new Successors(await freePorts(2));
    await etcd.next();
    const stores = [etcdStore([etcd.endpoint]), etcdStore([etcd.endpoint])] as const;
    await using servers = await startTwo(stores);
    for (let index = 0; index < 50; index++) {
      expect((await post(servers.first, `old-${index}`)).status).toBe(201);
    }
    const informer = await servers.informer();
    await eventually(() => expect(informer.store.list()).toHaveLength(50));
    await etcd.next();
    for (const of of [servers.first, servers.second]) {
      // The namespace is gone with the rest, and is no condition for a read.
      await eventually(async () => {
        const answer = await of.send("GET", CONFIG_MAPS);
        expect([answer.status, answer.status === 200 && namesOf(answer)]).toEqual([200, []]);
      });
      await eventually(async () => expect((await of.send("GET", "/readyz")).status).toBe(200));
    }
    await eventually(() => expect(informer.store.list()).toEqual([]));
    await servers.first.client.create(namespaces, { metadata: { name: "default" } });
    const made = await post(servers.first, "new");
    expect(made.status).toBe(201);
    expect(Number(revisionOf(made))).toBeLessThan(50);
    await eventually(() => expect(informer.store.list().map(({ metadata }) => metadata?.name)).toEqual(["new"]));
  },
);
