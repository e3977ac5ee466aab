import { createHash } from "node:crypto";
import type { Clock } from "../../../lib/core/clock.ts";
import type { Log } from "../../../lib/core/log.ts";
import type { Random } from "../../../lib/core/random.ts";
import { Codec } from "../../../lib/resource/codec/codec.ts";
import type { Registry } from "../../../lib/resource/registry.ts";
import type { Store } from "../../../lib/store/store.ts";
import { AdmissionChain } from "../admission/admission.ts";
import { CachedReads } from "../admission/cached-reads.ts";
import { admissionPlugins } from "../admission/plugins.ts";
import { AuthorizerList, basicUserAuthorizer, mastersAuthorizer } from "../auth/authorizer.ts";
import { nodeAuthorizer } from "../auth/node-authorizer.ts";
import { NodeView } from "../auth/node-view.ts";
import { roleAuthorizer } from "../auth/role-authorizer.ts";
import { ServiceAccountTokens, type TokenKeys } from "../auth/service-account-tokens.ts";
import { signingRequestAuthorizer } from "../auth/signing-request-authorizer.ts";
import type { RingLimits } from "../cache/event-ring.ts";
import { MemoBudget } from "../cache/memo-budget.ts";
import { WatchCache } from "../cache/watch-cache.ts";
import { addSubresources } from "../subresources/subresources.ts";
import { Committer, storeCall } from "./committer.ts";
import { ContinueTokens } from "./continue-token.ts";
import { KindTable } from "./kind-table.ts";
import { LeasePool } from "./lease-pool.ts";
import { LibMachinery } from "./lib-machinery.ts";
import { Reader } from "./reader.ts";
import { ResourceCore } from "./resource-core.ts";
import { StatusCodec } from "./status-codec.ts";
import { Watcher } from "./watcher.ts";
import { WritePipeline } from "./write-pipeline.ts";

export interface CoreComponents {
  readonly store: Store;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface CoreOptions {
  /** All api-servers of the cluster have the same keys: continue tokens are signed by what comes from them, too. */
  readonly serviceAccount: TokenKeys;
  /** Newest changes of each kind that watches can go back over. */
  readonly ring?: RingLimits;
  /** For decoded objects and encodings beside the stored bytes. */
  readonly memoBytes?: number;
}

/** Ten milliseconds of parsing: no request may hold up the others for longer (docs/decisions/0006-codec.md). */
const MAX_YAML_BYTES = 16 * 1024;
const DEFAULT_RING = { events: 10_000, sizeBytes: 32 * 1024 * 1024 };
const DEFAULT_MEMO_BYTES = 128 * 1024 * 1024;

export interface BuiltCore {
  readonly core: ResourceCore;
  readonly kinds: KindTable;
  readonly cache: WatchCache;
  readonly codec: Codec;
  readonly statusCodec: StatusCodec;
  readonly authorizers: AuthorizerList;
  readonly pipeline: WritePipeline;
  readonly committer: Committer;
  readonly machinery: LibMachinery;
  readonly reader: Reader;
  readonly reads: CachedReads;
  readonly watcher: Watcher;
  readonly tokens: ServiceAccountTokens;
}

/** Puts the parts of the core together; the caller starts and stops the watch cache. */
export function buildCore(components: CoreComponents, options: CoreOptions): BuiltCore {
  const { store, registry, clock, random, log } = components;
  const codec = new Codec({ maxYamlBytes: MAX_YAML_BYTES });
  const kinds = new KindTable(registry, codec);
  const budget = new MemoBudget(options.memoBytes ?? DEFAULT_MEMO_BYTES);
  const cache = new WatchCache(
    { store, clock, log: log.child({ part: "watch-cache" }), budget, kinds: kinds.stored() },
    { ring: options.ring ?? DEFAULT_RING },
  );
  const statusCodec = new StatusCodec(registry, codec);
  const machinery = new LibMachinery(codec, registry);
  const reads = new CachedReads({ store, cache, kinds });
  const requestKind = kinds.get("certificates.k8s.io", "v1", "certificatesigningrequests").stored;
  const authorizers = new AuthorizerList(
    [
      mastersAuthorizer,
      nodeAuthorizer(new NodeView({ cache, kinds })),
      signingRequestAuthorizer(() => cache.of(requestKind)),
      roleAuthorizer(),
      basicUserAuthorizer,
    ],
    () => storeCall(() => cache.fresh()),
  );
  const admission = new AdmissionChain(admissionPlugins({ reads, random, clock, authorizers }));
  const pipeline = new WritePipeline({ machinery, admission, clock, random });
  const leases = new LeasePool({ store, clock });
  const leaseKind = kinds.get("coordination.k8s.io", "v1", "leases").stored;
  const committer = new Committer({ store, cache, leases, leaseKind });
  const continueTokens = new ContinueTokens(
    createHash("sha256").update(`continue\0${options.serviceAccount.privateKeyPem}`).digest(),
  );
  const reader = new Reader({ store, cache, tokens: continueTokens });
  const watcher = new Watcher({ cache, reader, clock, random });
  const core = new ResourceCore({ machinery, pipeline, committer, reader, watcher, authorizers, statusCodec, clock });
  const tokens = new ServiceAccountTokens({ reads, clock, random }, options.serviceAccount);
  const parts = { core, kinds, cache, committer, reader, machinery, pipeline, statusCodec, clock, reads, tokens };
  addSubresources(parts);
  return { ...parts, watcher, codec, authorizers };
}
