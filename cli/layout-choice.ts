import path from "node:path";
import type { ClusterRecord, ExternalStore, LayoutName } from "../cluster/cluster-record.ts";
import { etcdEndpoints, isLocalAddress } from "./address-flags.ts";
import { choiceFlag, type FlagValues, stringFlag, UsageError } from "./command.ts";
import { flagFile } from "./file-flags.ts";
import { missingPrograms, type NeededProgram } from "./needed-programs.ts";

/** What the split layout needs on the machine beside Keelson. */
const NEEDED: readonly NeededProgram[] = [
  ["haproxy", "haproxy"],
  ["nats-server", "nats-server"],
];

export const LAYOUT_FLAGS = {
  layout: "string",
  store: "string",
  "store-cert": "string",
  "store-key": "string",
  "store-ca": "string",
  "store-insecure": "boolean",
} as const;

/** How a cluster is put into processes, and where it keeps its objects. */
export interface Layout {
  readonly name: LayoutName;
  /** Absent: a store of its own. */
  readonly store?: ExternalStore;
}

/** What the flags ask for; undefined parts are left to the cluster. */
export type LayoutWish = { readonly name: LayoutName | undefined; readonly store: ExternalStore | undefined };

export function layoutFlags(values: FlagValues): LayoutWish {
  const name = choiceFlag(values, "layout", ["all-in-one", "split"] as const);
  return { name, store: storeFlags(values) };
}

/** A cluster keeps the layout and the store that it was made with. */
export function settleLayout(
  wish: LayoutWish,
  record: ClusterRecord | undefined,
  world: { readonly dataDir: string; readonly searchPath: string },
): Layout {
  const name = record === undefined ? (wish.name ?? "all-in-one") : (record.layout ?? "all-in-one");
  const store = record === undefined ? wish.store : record.store;
  const remedy = `remove it with "keelson down --purge --data-dir=${world.dataDir}", or choose another --data-dir`;
  if (wish.name !== undefined && wish.name !== name) {
    throw new UsageError(`--layout=${wish.name}: this cluster was made with ${name}; ${remedy}`);
  }
  if (wish.store !== undefined && wish.store.endpoints.join() !== store?.endpoints.join()) {
    const made = store === undefined ? "a store of its own" : `etcd://${store.endpoints}`;
    throw new UsageError(`--store=etcd://${wish.store.endpoints}: this cluster was made with ${made}; ${remedy}`);
  }
  if (store !== undefined && name !== "split") throw new UsageError("--store needs --layout=split");
  const missing = name === "split" ? missingPrograms(NEEDED, world.searchPath) : "";
  if (missing !== "") throw new UsageError(`--layout=split: ${missing}`);
  // Files may have moved since the first start, so those that are named now count.
  const settled = wish.store ?? store;
  return settled === undefined ? { name } : { name, store: settled };
}

function storeFlags(values: FlagValues): ExternalStore | undefined {
  const url = stringFlag(values, "store");
  const files = (["cert", "key", "ca"] as const).map((name) => [name, stringFlag(values, `store-${name}`)] as const);
  const given = files.filter(([, file]) => file !== undefined);
  const isPlainText = values["store-insecure"] === true;
  if (url === undefined) {
    const stray = isPlainText ? "insecure" : given[0]?.[0];
    if (stray !== undefined) throw new UsageError(`--store-${stray} goes with --store=etcd://HOST:PORT`);
    return undefined;
  }
  const endpoints = etcdEndpoints(url, "store");
  if (isPlainText) {
    if (given.length > 0)
      throw new UsageError("--store-insecure goes without --store-cert, --store-key and --store-ca");
    const distant = endpoints.find((endpoint) => !isLocalAddress(endpoint));
    if (distant !== undefined) throw new UsageError(`--store-insecure needs an etcd on loopback, not ${distant}`);
    return { endpoints };
  }
  const [cert, key, ca] = files.map(([name, file]) => pemFile(name, file));
  return { endpoints, tls: { cert: cert!, key: key!, ca: ca! } };
}

/** The file's absolute path: it is read at each start. */
function pemFile(name: string, file: string | undefined): string {
  if (file === undefined) {
    throw new UsageError(`--store needs --store-${name}=FILE, or --store-insecure for plain text on loopback`);
  }
  flagFile(file, `store-${name}`);
  return path.resolve(file);
}
