import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Log, silentLog } from "../../lib/core/log.ts";
import { configMaps, pods, serviceAccounts } from "../../lib/gen/k8s/resources.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { EtcdStore, isProgressTrusted } from "../../lib/store/etcd-store.ts";
import { type Etcd, startEtcd } from "../kit/etcd.ts";
import { currentEtcd } from "../kit/etcd-cluster.ts";
import { eventually } from "../kit/eventually.ts";
import { runCommand } from "../kit/kubectl.ts";
import { type ApiFixture, startApi } from "./api-fixture.ts";
import { watchLines } from "./watch-lines.ts";

let etcd: Etcd;
let api: ApiFixture;
let warnings: { message: string; fields: Readonly<Record<string, unknown>> | undefined }[];

const log: Log = {
  ...silentLog,
  child: () => log,
  warn: (message, fields) => void warnings.push({ message, fields }),
};

async function etcdctl(...args: string[]): Promise<string> {
  const result = await runCommand(["etcdctl", `--endpoints=${etcd.address}`, ...args], { env: { ETCDCTL_API: "3" } });
  expect(result.code).toBe(0);
  return result.stdout;
}

const PROGRAMS = [
  ["Debian's etcd, whose progress notifications may come too early", "etcd"],
  ["a current etcd", currentEtcd()],
] as const;

describe.each(PROGRAMS)("the API server on %s", (_, program) => {
  beforeAll(async () => {
    warnings = [];
    etcd = await startEtcd({ program });
    const store = new EtcdStore({ clock: realClock, log }, { endpoints: [etcd.address] });
    api = await startApi({ store });
    await api.client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
  });

  afterAll(async () => {
    await api.stop();
    await etcd.stop();
  });

  test("F9: an old version is warned of, once; a current one is not", async () => {
    const version = /etcd Version: (\S+)/.exec((await runCommand([program, "--version"])).stdout)?.[1] ?? "";
    const expected = isProgressTrusted(version) ? [] : [{ endpoint: etcd.address, version }];
    for (let index = 0; index < 5; index++) await api.client.list(pods);
    await api.store.status();
    await eventually(() => expect(warnings.map(({ fields }) => fields)).toEqual(expected));
  });

  test("writes where upstream's API server writes", async () => {
    await api.kubectl.ok(["run", "web", "--image=busybox"]);
    const keys = await etcdctl("get", "/registry/", "--prefix", "--keys-only");
    expect(keys).toContain("/registry/pods/default/web\n");
    expect(keys).toContain("/registry/namespaces/kube-node-lease\n");
    expect((await etcdctl("get", "/registry/pods/default/web", "--print-value-only")).slice(0, 4)).toBe("k8s\0");
  });

  test("invariant 17: a list sees at once what others wrote to etcd, and keys of others do not disturb", async () => {
    const { kvs } = await api.store.range({ key: Buffer.from("/registry/pods/default/web") });
    for (let index = 0; index < 20; index++) {
      await etcdctl("put", `foreign-${index}`, "x");
      const key = Buffer.from(`/registry/pods/default/web-${index}`);
      await api.store.txn({ compare: [], success: [{ type: "put", key, value: kvs[0]!.value }] });
      const { items, resourceVersion } = await api.client.list(pods);
      expect(items).toHaveLength(index + 2);
      expect(Number(resourceVersion)).toBe((await api.store.status()).revision);
      await api.store.txn({
        compare: [],
        success: [{ type: "put", key: Buffer.from(`foreign-${index}`), value: key }],
      });
      expect((await api.client.list(pods)).items).toHaveLength(index + 2);
    }
  });

  test("watches, conflicts and pages are as on our own store", async () => {
    const made = await api.client.create(configMaps, { metadata: { name: "m", namespace: "default" } });
    const from = made.metadata?.resourceVersion;
    await api.client.update(configMaps, { ...made, data: { a: "b" } });
    await expect(api.client.update(configMaps, { ...made, data: { a: "c" } })).rejects.toMatchObject({ code: 409 });
    await api.client.delete(configMaps, { namespace: "default", name: "m" });
    const events = await watchLines(api, `/api/v1/configmaps?watch=1&resourceVersion=${from}`, 2);
    expect(events.map((event) => event.type)).toEqual(["MODIFIED", "DELETED"]);
    const first = await api.client.list(pods, { limit: 5 });
    await api.client.delete(pods, { namespace: "default", name: "web-9" });
    const rest = await api.client.list(pods, { continue: first.continue ?? "" });
    expect(first.items.length + rest.items.length).toBe(21);
  });
});
