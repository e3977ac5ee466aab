import { experimental } from "@grpc/grpc-js";

const SCHEME = "keelson-list";

/** The target that stands for several `HOST:PORT`, which a channel tries in turn until one takes its connection. */
export function listTarget(addresses: readonly string[]): string {
  return `${SCHEME}:${addresses.join(",")}`;
}

/**
 * Answers the list as it stands. Names are looked up by each attempt to connect, so that a server that came back with
 * another address is found.
 */
class AddressListResolver implements experimental.Resolver {
  readonly #endpoints: experimental.Endpoint[];
  readonly #listener: experimental.ResolverListener;
  #hasAnswered = false;

  constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
    this.#listener = listener;
    this.#endpoints = target.path.split(",").map((address) => {
      const { host, port = 443 } = experimental.splitHostPort(address) ?? { host: address };
      return { addresses: [{ host, port }] };
    });
  }

  /** Asked whenever connecting fails, without a pause: a second answer would be the same, and make it ask again. */
  updateResolution(): void {
    if (this.#hasAnswered) return;
    this.#hasAnswered = true;
    process.nextTick(() => {
      if (this.#hasAnswered) this.#listener(experimental.statusOrFromValue(this.#endpoints), {}, null, "");
    });
  }

  destroy(): void {
    this.#hasAnswered = false;
  }

  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return target.path.split(",")[0] ?? "";
  }
}

experimental.registerResolver(SCHEME, AddressListResolver);
