import type { IdentityFolder } from "../lib/process/identity-folder.ts";
import { isKeyPair } from "../lib/process/is-key-pair.ts";
import { checkAddress, checkUnixSocket, isLocalAddress } from "./address-flags.ts";
import {
  type Command,
  choiceFlag,
  type FlagValues,
  integerFlag,
  neededFlag,
  parseFlags,
  refusing,
  stringFlag,
  UsageError,
} from "./command.ts";
import { flagFile } from "./file-flags.ts";
import { identityFlag, ROLE_FLAGS, ROLE_USAGE, roleOptions } from "./role-flags.ts";

const IDENTITY_FILES = ["server.crt", "server.key", "store-ca.crt"];

/** `keelson run store`. */
export const runStoreCommand: Command = {
  summary: "serves the store by etcd's v3 API",
  usage: `keelson run store --data-dir=DIR --listen=ADDRESS
                  (--identity=DIR | --insecure | --cert=FILE --key=FILE [--client-ca=FILE])

  --data-dir=DIR          where the database is; made when missing
  --listen=ADDRESS        HOST:PORT (port 0: a free one, printed) or unix:PATH
  --identity=DIR          server.crt, server.key, and store-ca.crt, which clients' certificates must come from
  --insecure              plain text, on a loopback address or a unix socket only
  --cert, --key           the server's certificate and key, PEM
  --client-ca=FILE        authority that clients' certificates must come from; only on a loopback address without
  --quota-bytes=N         size from which puts are refused (default 8 GiB)
  --auto-compaction-mode=periodic|revision, --auto-compaction-retention=N
                          keeps the history of N seconds, or N revisions; default: compacts only when told to
${ROLE_USAGE}`,
  async run(args, io) {
    const { values } = parseFlags(args, {
      "data-dir": "string",
      listen: "string",
      identity: "string",
      insecure: "boolean",
      cert: "string",
      key: "string",
      "client-ca": "string",
      "quota-bytes": "string",
      "auto-compaction-mode": "string",
      "auto-compaction-retention": "string",
      failpoint: "string",
      ...ROLE_FLAGS,
    });
    const listen = neededFlag(values, "listen");
    const dataDir = neededFlag(values, "data-dir");
    checkListen(listen);
    const identity = values["identity"] === undefined ? undefined : identityFlag(values, IDENTITY_FILES);
    const tls = tlsOf(values, listen, identity);
    const role = roleOptions(values, io, identity, "store");
    const autoCompaction = autoCompactionOf(values);
    const failpoint = stringFlag(values, "failpoint");
    const quotaBytes = integerFlag(values, "quota-bytes", 1, Number.MAX_SAFE_INTEGER, 0);
    const { runStoreRole } = await import("../services/store/main.ts");
    return refusing(() =>
      runStoreRole({
        ...role,
        listen,
        ...(tls === undefined ? {} : { tls }),
        ...(identity === undefined ? {} : { identity }),
        store: {
          dataDir,
          ...(quotaBytes === 0 ? {} : { quotaBytes }),
          ...(autoCompaction === undefined ? {} : { autoCompaction }),
          ...(failpoint === undefined ? {} : { failpoint }),
        },
      }),
    );
  },
};

function checkListen(listen: string): void {
  if (listen.startsWith("unix:")) checkUnixSocket(listen, "listen");
  else checkAddress(listen, "listen");
}

function tlsOf(values: FlagValues, listen: string, identity: IdentityFolder | undefined) {
  const cert = stringFlag(values, "cert");
  const key = stringFlag(values, "key");
  const clientCa = stringFlag(values, "client-ca");
  if (values["insecure"] === true) {
    if (identity ?? cert ?? key ?? clientCa) {
      throw new UsageError("--insecure goes without --identity, --cert, --key and --client-ca");
    }
    if (!isLocalAddress(listen))
      throw new UsageError("--insecure needs a loopback address or a unix socket to listen on");
    return undefined;
  }
  if (identity !== undefined) {
    if (cert ?? key ?? clientCa) throw new UsageError("--identity goes without --cert, --key and --client-ca");
    return { ...identity.keyPair("server"), clientCaPem: identity.authorityPem("store") };
  }
  if (cert === undefined || key === undefined) {
    throw new UsageError("--identity is needed, or --cert and --key, or --insecure");
  }
  if (clientCa === undefined && !isLocalAddress(listen)) {
    throw new UsageError("--client-ca is needed: without it whoever reaches the store reads and writes everything");
  }
  const pair = { certPem: flagFile(cert, "cert"), keyPem: flagFile(key, "key") };
  if (!isKeyPair(pair)) throw new UsageError(`--cert ${cert} and --key ${key} are no PEM certificate and its key`);
  return {
    ...pair,
    ...(clientCa === undefined ? {} : { clientCaPem: flagFile(clientCa, "client-ca") }),
  };
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
