import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The tables of upstream's contracts, which stand beside the checkout and are not part of it. */
const folder = fileURLToPath(new URL("../../../../shared/contracts/", import.meta.url));

export const tablesArePresent = existsSync(folder);

export function readTable<T>(name: string): T {
  return JSON.parse(readFileSync(`${folder}${name}.json`, "utf8")) as T;
}

/** The names are the tables' own; their README explains them. */
export interface FieldRow {
  readonly n: string;
  readonly i: number;
  readonly t: string;
  readonly r?: 1;
  readonly k?: string;
  readonly o?: string;
  readonly opt?: 1;
  readonly j?: string;
  readonly in?: 1;
  readonly p?: 1;
  readonly oe?: 1;
  readonly oz?: 1;
  readonly op?: 1;
  readonly rq?: 1;
  readonly nu?: 1;
  readonly ps?: string;
  readonly pk?: string;
  readonly lt?: string;
  readonly lk?: readonly string[];
  readonly mt?: string;
  readonly st?: string;
  readonly d?: unknown;
  readonly e?: string;
  readonly fg?: string;
}

export interface MessageRow {
  readonly m: string;
  readonly f: readonly FieldRow[];
  readonly tm?: 1;
  readonly j?: string;
  readonly st?: string;
}

export interface KindTables {
  readonly packages: readonly {
    readonly a: string;
    readonly package: string;
    readonly group?: string;
    readonly version?: string;
  }[];
  readonly messages: readonly MessageRow[];
  readonly stringTypes: readonly { readonly e: string; readonly v: readonly string[]; readonly closed?: 1 }[];
}

export interface ResourceRow {
  readonly g: string;
  readonly v: string;
  readonly k: string;
  readonly r: string;
  readonly s: string;
  readonly ns: boolean;
  readonly on: boolean;
  readonly sn?: readonly string[];
  readonly cat?: readonly string[];
  readonly vb: readonly string[];
  readonly sub?: readonly {
    readonly n: string;
    readonly k: string;
    readonly g?: string;
    readonly v?: string;
    readonly vb: readonly string[];
  }[];
  readonly svh?: string;
  readonly sv?: string;
  readonly cols?: readonly { readonly n: string; readonly t: string; readonly f?: string; readonly p?: number }[];
}

export interface StorageRow {
  readonly g: string;
  readonly r: string;
  readonly key?: string;
  readonly sv?: string;
  readonly cou?: boolean;
  readonly uu?: boolean;
  readonly gen?: string;
  readonly gc?: string;
  readonly grace?: boolean;
  readonly ttl?: number;
  readonly fs?: readonly string[];
  readonly fsAlias?: Readonly<Record<string, string>>;
  readonly fsMap?: Readonly<Record<string, string>>;
  readonly sameAs?: string;
}

export interface ImmutableRow {
  readonly kind: string;
  readonly path: string;
  readonly when?: string;
  readonly ex?: readonly string[];
  readonly how?: string;
  readonly sub?: string;
}

export interface DefaultRow {
  readonly kind: string;
  readonly path?: string;
  readonly default?: unknown;
  readonly when?: string;
  readonly sameAs?: string;
  readonly gateOn?: boolean;
}

export interface ProtoTable {
  readonly source: readonly { readonly package: string }[];
  readonly messages: readonly MessageRow[];
  readonly enums?: readonly { readonly e: string; readonly v: Readonly<Record<string, number>> }[];
  readonly services?: readonly {
    readonly s: string;
    readonly rpcs: readonly {
      readonly n: string;
      readonly in: string;
      readonly out: string;
      readonly is?: 1;
      readonly os?: 1;
    }[];
  }[];
}
