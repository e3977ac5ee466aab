import { readFileSync } from "node:fs";
import {
  type Command,
  choiceFlag,
  type FlagValues,
  integerFlag,
  parseFlags,
  refusing,
  stringFlag,
  UsageError,
} from "./command.ts";

/** `keelson run store`. */
export const runStoreCommand: Command = {
  summary: "serves the store by etcd's v3 API",
  usage: `keelson run store --data-dir=DIR --listen=ADDRESS (--insecure | --cert=FILE --key=FILE [--client-ca=FILE])

  --data-dir=DIR          where the database is; made when missing
  --listen=ADDRESS        HOST:PORT (port 0: a free one, printed) or unix:PATH
  --insecure              plain text, on a loopback address or a unix socket only
  --cert, --key           the server's certificate and key, PEM
  --client-ca=FILE        authority that clients' certificates must come from
  --quota-bytes=N         size from which puts are refused (default 8 GiB)
  --auto-compaction-mode=periodic|revision, --auto-compaction-retention=N
                          keeps the history of N seconds, or N revisions; default: compacts only when told to`,
  async run(args, io) {
    const { values } = parseFlags(args, {
      "data-dir": "string",
      listen: "string",
      insecure: "boolean",
      cert: "string",
      key: "string",
      "client-ca": "string",
      "quota-bytes": "string",
      "auto-compaction-mode": "string",
      "auto-compaction-retention": "string",
      failpoint: "string",
    });
    const listen = needed(values, "listen");
    const dataDir = needed(values, "data-dir");
    const tls = tlsOf(values, listen);
    const autoCompaction = autoCompactionOf(values);
    const failpoint = stringFlag(values, "failpoint");
    const quotaBytes = integerFlag(values, "quota-bytes", 1, Number.MAX_SAFE_INTEGER, 0);
    const { runStoreRole } = await import("../services/store/main.ts");
    return refusing(() =>
      runStoreRole({
        listen,
        ...(tls === undefined ? {} : { tls }),
        store: {
          dataDir,
          ...(quotaBytes === 0 ? {} : { quotaBytes }),
          ...(autoCompaction === undefined ? {} : { autoCompaction }),
          ...(failpoint === undefined ? {} : { failpoint }),
        },
        listening: (address) => io.out(`store listens on ${address}\n`),
      }),
    );
  },
};

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
    const dataDir = needed(values, "data-dir");
    const { restoreStore } = await import("../services/store/main.ts");
    const revision = await refusing(() => restoreStore({ file, dataDir }));
    io.out(`restored into ${dataDir}; the store goes on from revision ${revision}\n`);
    return 0;
  },
};

function needed(values: FlagValues, name: string): string {
  const value = stringFlag(values, name);
  if (value === undefined) throw new UsageError(`--${name} is needed`);
  return value;
}

function tlsOf(values: FlagValues, listen: string) {
  const cert = stringFlag(values, "cert");
  const key = stringFlag(values, "key");
  const clientCa = stringFlag(values, "client-ca");
  if (values["insecure"] === true) {
    if (cert ?? key ?? clientCa) throw new UsageError("--insecure goes without --cert, --key and --client-ca");
    if (!isLocal(listen)) throw new UsageError("--insecure needs a loopback address or a unix socket to listen on");
    return undefined;
  }
  if (cert === undefined || key === undefined) throw new UsageError("--cert and --key are needed, or --insecure");
  return {
    certPem: pemFile(cert, "cert"),
    keyPem: pemFile(key, "key"),
    ...(clientCa === undefined ? {} : { clientCaPem: pemFile(clientCa, "client-ca") }),
  };
}

function isLocal(listen: string): boolean {
  return listen.startsWith("unix:") || /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(listen);
}

function pemFile(path: string, flag: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--${flag}: ${(error as Error).message}`, { cause: error });
  }
}

function autoCompactionOf(values: FlagValues) {
  const mode = choiceFlag(values, "auto-compaction-mode", ["periodic", "revision"]);
  const retention = integerFlag(values, "auto-compaction-retention", 1, 1_000_000_000, 0);
  if (mode === undefined && retention === 0) return undefined;
  if (mode === undefined || retention === 0) {
    throw new UsageError("--auto-compaction-mode and --auto-compaction-retention go together");
  }
  return mode === "periodic" ? { mode, retentionMs: retention * 1000 } : { mode, retentionRevisions: retention };
}
