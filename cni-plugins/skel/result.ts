import { hasAddressFamily } from "./versions.ts";

/** Success of ADD in the words of the specification, 1.0 form. */
export interface Result {
  readonly interfaces?: readonly ResultInterface[];
  readonly ips?: readonly ResultAddress[];
  readonly routes?: readonly ResultRoute[];
  readonly dns?: Readonly<Record<string, unknown>>;
}

export interface ResultInterface {
  readonly name: string;
  readonly mac?: string;
  readonly sandbox?: string;
}

export interface ResultAddress {
  /** With prefix length. */
  readonly address: string;
  readonly gateway?: string;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

export interface ResultRoute {
  readonly dst: string;
  readonly gw?: string;
}

/** The result in the form of the version that the caller speaks. */
export function encodeResult(result: Result, cniVersion: string): string {
  const { ips, ...rest } = result;
  const withFamily = ips?.map((ip) => (hasAddressFamily(cniVersion) ? { version: family(ip.address), ...ip } : ip));
  return JSON.stringify({
    cniVersion,
    ...rest,
    ...(withFamily === undefined ? {} : { ips: withFamily }),
    dns: rest.dns ?? {},
  });
}

function family(address: string): "4" | "6" {
  return address.includes(":") ? "6" : "4";
}
