import type { Random } from "../../../lib/core/random.ts";
import type { Store } from "../../../lib/store/store.ts";

/** Delete it after a restore that goes back to older revisions, and the next epoch begins. */
const KEY = Buffer.from("/keelson/epoch");

/**
 * The name of the store's history, the same for every api-server: the store's own name (another one after a restore) and
 * a random one that is written down once (stores that were set up alike may have the same name). Rejects when the store does.
 */
export async function storeEpoch(components: { readonly store: Store; readonly random: Random }): Promise<string> {
  const { store, random } = components;
  const { clusterId } = await store.status();
  const read = { type: "range", key: KEY } as const;
  let [found] = (await store.range(read)).kvs;
  if (found === undefined) {
    const { responses } = await store.txn({
      compare: [{ key: KEY, target: "create", result: "equal", value: 0 }],
      success: [{ type: "put", key: KEY, value: Buffer.from(random.uuid()) }, read],
      failure: [read],
    });
    const last = responses.at(-1);
    [found] = last?.type === "range" ? last.kvs : [];
  }
  if (found === undefined) throw new Error("the store lost the key /keelson/epoch while it was read");
  return `${clusterId.toString(16)}-${Buffer.from(found.value).toString()}`;
}
