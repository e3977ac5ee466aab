import { expect, test } from "vitest";
import { namespaces } from "../../lib/gen/k8s/resources.ts";
import { startEtcd } from "../kit/etcd.ts";
import { eventually } from "../kit/eventually.ts";
import { freePorts } from "../kit/free-ports.ts";
import { skipping, whyNotPrograms } from "../kit/requirements.ts";
import { CONFIG_MAPS, etcdStore, namesOf, post, revisionOf, startTwo } from "./two-servers.ts";

test.skipIf(skipping("restored-store", whyNotPrograms(["etcd"])))(
  "an etcd that goes back to older revisions under running api-servers: nothing of what is gone is shown, informers list again",
  async () => {
    const ports = await freePorts(2);
    await using etcds = new AsyncDisposableStack();
    const first = etcds.adopt(await startEtcd({ ports }), (etcd) => etcd.stop());
    const stores = [etcdStore([first.address]), etcdStore([first.address])] as const;
    await using servers = await startTwo(stores);
    for (let index = 0; index < 50; index++) {
      expect((await post(servers.first, `old-${index}`)).status).toBe(201);
    }
    const informer = await servers.informer();
    await eventually(() => expect(informer.store.list()).toHaveLength(50));
    await first.stop();
    etcds.adopt(await startEtcd({ ports }), (etcd) => etcd.stop());
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
