import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { formatTime } from "../lib/core/clock.ts";
import { StatusError } from "../lib/core/status-error.ts";
import type { Secret, SecretList } from "../lib/gen/k8s/core/v1.ts";
import { type JsonServer, jsonRequest } from "../lib/process/json-request.ts";
import { realClock } from "../lib/process/real-clock.ts";
import { realRandom } from "../lib/process/real-random.ts";
import {
  type Command,
  type CommandIo,
  type FlagValues,
  parseFlags,
  refusing,
  stringFlag,
  UsageError,
} from "./command.ts";
import { DataDir } from "./data-dir.ts";

const SECRETS = "/api/v1/namespaces/kube-system/secrets";
const TYPE = "bootstrap.kubernetes.io/token";
const NAME_PREFIX = "bootstrap-token-";
const DEFAULT_TTL = "24h";
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const tokenCommand: Command = {
  summary: "makes, lists and deletes tokens with which nodes join",
  usage: `keelson token create [--ttl=24h] [--kubeconfig=FILE | --data-dir=DIR]
       keelson token list   [--kubeconfig=FILE | --data-dir=DIR]
       keelson token delete ID [--kubeconfig=FILE | --data-dir=DIR]

  --ttl         how long it holds: a number and s, m, h or d; 0: until it is deleted (${DEFAULT_TTL})
  --kubeconfig  who asks (default: the administrator of the cluster at --data-dir)

"create" prints the token and the command that joins a node with it. A token makes new nodes and nothing else.`,
  async run(args, io) {
    const flags = { ttl: "string", kubeconfig: "string", "data-dir": "string" } as const;
    const { values, words } = parseFlags(args, flags, { min: 1, max: 2, names: "create, list or delete" });
    const [action = "", id] = words;
    const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (run === undefined)
      throw new UsageError(`keelson token knows create, list and delete, not ${JSON.stringify(action)}`);
    if ((action === "delete") !== (id !== undefined)) {
      throw new UsageError(
        action === "delete" ? "needs the ID of a token" : `unexpected argument ${JSON.stringify(id)}`,
      );
    }
    return refusing(() => run(serverOf(values, io), values, io, id ?? ""));
  },
};

type Action = (server: Administrator, values: FlagValues, io: CommandIo, id: string) => Promise<number>;
type Administrator = JsonServer & { readonly caPem: string };

const create: Action = async (server, values, io) => {
  const ttlMs = durationMs(stringFlag(values, "ttl") ?? DEFAULT_TTL);
  const [id, secret] = [randomText(6), randomText(16)];
  const expiration = ttlMs === 0 ? {} : { expiration: formatTime(realClock.nowMs() + ttlMs) };
  const stringData = {
    ...{ "token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true" },
    ...expiration,
  };
  const metadata = { name: `${NAME_PREFIX}${id}`, namespace: "kube-system" };
  await jsonRequest(server, "POST", SECRETS, { apiVersion: "v1", kind: "Secret", metadata, type: TYPE, stringData });
  const { publicKeyHash } = await import("../lib/pki/public-key-hash.ts");
  const hash = publicKeyHash(new X509Certificate(server.caPem));
  io.out(
    `${id}.${secret}\n\nkeelson node join --api-server=${server.url} --token=${id}.${secret} ` +
      `--ca-cert-hash=sha256:${hash} --out-dir=DIR\n`,
  );
  return 0;
};

const list: Action = async (server, _values, io) => {
  const { items = [] } = await jsonRequest<SecretList>(server, "GET", `${SECRETS}?fieldSelector=type%3D${TYPE}`);
  io.out(`${"ID".padEnd(8)} ENDS\n`);
  for (const item of items) io.out(`${dataOf(item, "token-id").padEnd(8)} ${dataOf(item, "expiration") || "never"}\n`);
  return 0;
};

const remove: Action = async (server, _values, io, text) => {
  const [, id] = /^([a-z0-9]{6})(\.[a-z0-9]{16})?$/.exec(text) ?? [];
  if (id === undefined) throw new UsageError("the ID of a token is 6 lower case letters and digits");
  await jsonRequest(server, "DELETE", `${SECRETS}/${NAME_PREFIX}${id}`).catch((thrown: unknown) => {
    if (thrown instanceof StatusError && thrown.code === 404)
      throw new Error(`there is no token ${id}`, { cause: thrown });
    throw thrown;
  });
  io.out(`token ${id} is deleted\n`);
  return 0;
};

const ACTIONS: Readonly<Record<string, Action>> = { create, list, delete: remove };

function dataOf(secret: Secret, key: string): string {
  return Buffer.from(secret.data?.[key] ?? "", "base64").toString("utf8");
}

/** Every character with the same chance: bytes that would favour some are thrown away. */
function randomText(length: number): string {
  const limit = 256 - (256 % ALPHABET.length);
  let text = "";
  while (text.length < length) {
    for (const byte of realRandom.bytes(length)) {
      if (byte < limit && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}

function durationMs(text: string): number {
  if (text === "0") return 0;
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit] ?? Number.NaN);
  if (!(ms > 0))
    throw new UsageError(`--ttl must be a number and s, m, h or d, such as 24h, not ${JSON.stringify(text)}`);
  return ms;
}

function serverOf(values: FlagValues, io: CommandIo): Administrator {
  const given = stringFlag(values, "kubeconfig");
  const dataDir = stringFlag(values, "data-dir");
  const file =
    given ?? (dataDir === undefined ? io.env["KUBECONFIG"] : undefined) ?? DataDir.from(dataDir, io.env).kubeconfig;
  let config: Kubeconfig;
  try {
    config = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const why = isMissing ? "does not exist" : 'is no kubeconfig that "keelson" wrote';
    throw new UsageError(`${file} ${why}: start a cluster with "keelson up", or give --kubeconfig`, { cause });
  }
  const [cluster, user] = [config.clusters?.[0]?.cluster, config.users?.[0]?.user];
  const part = (text: string | undefined) => Buffer.from(text ?? "", "base64").toString("utf8");
  if (cluster?.["server"] === undefined || user?.["client-certificate-data"] === undefined) {
    throw new UsageError(`${file} names no server and administrator`);
  }
  return {
    url: cluster["server"],
    caPem: part(cluster["certificate-authority-data"]),
    serverName: "kubernetes",
    client: { certPem: part(user["client-certificate-data"]), keyPem: part(user["client-key-data"]) },
  };
}

interface Kubeconfig {
  readonly clusters?: readonly { readonly cluster?: Readonly<Record<string, string>> }[];
  readonly users?: readonly { readonly user?: Readonly<Record<string, string>> }[];
}
