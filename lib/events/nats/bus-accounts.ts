import { encodeAccount, encodeOperator } from "@nats-io/jwt";
import { createAccount, createOperator, type KeyPair } from "@nats-io/nkeys";
import { fastKey } from "./fast-key.ts";

/** The secrets of one cluster's bus: NKEY seeds. The operator vouches for accounts; the account signs users. */
export interface BusSeeds {
  operator: string;
  /** Who holds it lets anybody onto the bus: api-servers do. */
  account: string;
  /** Of the servers' own account, for monitoring; no role uses it. */
  system: string;
}

/** Users' tokens list every subject that they may hear; the default of 4 KiB would refuse them. */
const MAX_CONTROL_LINE_BYTES = 64 * 1024;
const UNLIMITED = -1;

/** New keys for one cluster's operator, its account and the system account. Whoever has them rules the bus. */
export function createBusSeeds(): BusSeeds {
  const system = createAccount();
  return { operator: seedOf(createOperator()), account: seedOf(createAccount()), system: seedOf(system) };
}

/**
 * What a nats-server reads (`-c FILE`) to know the cluster's account, without a seed in it. Users need no entry: the
 * server believes any token that the account signed, so they come and go without a reload.
 */
export async function busAccountsConf(seeds: BusSeeds, name: string): Promise<string> {
  const [operator, account, system] = [seeds.operator, seeds.account, seeds.system].map(pairOf) as [
    KeyPair,
    KeyPair,
    KeyPair,
  ];
  const systemKey = system.getPublicKey();
  const operatorToken = await encodeOperator(name, operator, { system_account: systemKey });
  // Without the limits the server takes 0 for each: no connection would be allowed.
  const limits = {
    conn: UNLIMITED,
    subs: UNLIMITED,
    data: UNLIMITED,
    payload: UNLIMITED,
    imports: UNLIMITED,
    exports: UNLIMITED,
    leaf: 0,
    wildcards: true,
    disallow_bearer: true,
  };
  const accountToken = await encodeAccount(name, account, { limits }, { signer: operator });
  const systemToken = await encodeAccount(`${name}-system`, system, { limits }, { signer: operator });
  return `# Made by "keelson pki": the accounts of this cluster's bus.
operator: ${operatorToken}
system_account: ${systemKey}
resolver: MEMORY
resolver_preload: {
  ${account.getPublicKey()}: ${accountToken}
  ${systemKey}: ${systemToken}
}
max_control_line: ${MAX_CONTROL_LINE_BYTES}
`;
}

function seedOf(pair: KeyPair): string {
  return new TextDecoder().decode(pair.getSeed());
}

function pairOf(seed: string): KeyPair {
  return fastKey(seed.trim());
}
