import { mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { LOOPBACK, nodeAddressOf, nodeNamesOf } from "../cluster-nodes.ts";
import type { ClusterPki } from "../cluster-pki.ts";
import type { ClusterRecord, ExternalStore } from "../cluster-record.ts";
import { addressAt } from "../network-plan.ts";
import type { IdentityName } from "../pki/identity-plan.ts";

/** The folder that each process of the cluster is given as its identity. */
export type IdentityFolders = (name: IdentityName) => string;

/** Makes what is missing of all identities. `runFolder` gets what is made anew at each start. */
export async function splitIdentities(
  pki: ClusterPki,
  record: ClusterRecord,
  runFolder: string,
): Promise<IdentityFolders> {
  const { network, store } = record;
  const apiHosts = network === undefined ? [] : [addressAt(network.serviceCidr, 1), network.nodeAddress];
  const wanted: readonly (readonly [IdentityName, readonly string[]])[] = [
    ["nats", []],
    ...(store === undefined ? [["store", []] as const] : []),
    ["api-server", apiHosts],
    ["scheduler", []],
    ["controller-manager", []],
    ["admin", []],
    ...nodeNamesOf(record).map((name) => [`node-${name}`, [nodeAddressOf(record)]] as const),
  ];
  const folders = new Map<IdentityName, string>();
  for (const [name, hosts] of wanted)
    folders.set(
      name,
      await pki.identityFolder(
        name,
        hosts.filter((one) => one !== LOOPBACK),
      ),
    );
  if (store?.tls !== undefined) {
    const own = folders.get("api-server") ?? "";
    folders.set("api-server", withStoreFiles(own, store.tls, path.join(runFolder, "api-server-identity")));
  }
  return (name) => {
    const folder = folders.get(name);
    if (folder === undefined) throw new Error(`no identity was made for ${name}`);
    return folder;
  };
}

/** The same identity with the files that prove it to somebody else's etcd; links, so that what is renewed is seen. */
function withStoreFiles(identity: string, store: NonNullable<ExternalStore["tls"]>, target: string): string {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { mode: 0o700 });
  const own = { "store-client.crt": store.cert, "store-client.key": store.key, "store-ca.crt": store.ca };
  const others = readdirSync(identity).filter((file) => !Object.hasOwn(own, file));
  for (const file of others) symlinkSync(path.join(identity, file), path.join(target, file));
  for (const [file, source] of Object.entries(own)) symlinkSync(source, path.join(target, file));
  return target;
}
