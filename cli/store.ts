import { type Command, neededFlag, parseFlags, refusing, UsageError } from "./command.ts";

/** `keelson store`. */
export const storeCommand: Command = {
  summary: "restores a store from a snapshot",
  usage: `keelson store restore FILE --data-dir=DIR

  FILE            a snapshot taken by "etcdctl snapshot save" from "keelson run store"
  --data-dir=DIR  the new data directory: missing or empty`,
  async run(args, io) {
    const { values, words } = parseFlags(
      args,
      { "data-dir": "string" },
      { min: 2, max: 2, names: "restore and the snapshot FILE" },
    );
    const [verb, file = ""] = words;
    if (verb !== "restore") throw new UsageError(`store has no command ${JSON.stringify(verb)}; it has: restore`);
    const dataDir = neededFlag(values, "data-dir");
    const { restoreStore } = await import("../services/store/main.ts");
    const revision = await refusing(() => restoreStore({ file, dataDir }));
    io.out(`restored into ${dataDir}; the store goes on from revision ${revision}\n`);
    return 0;
  },
};
