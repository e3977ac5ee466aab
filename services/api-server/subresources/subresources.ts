import type { Clock } from "../../../lib/core/clock.ts";
import type { CachedReads } from "../admission/cached-reads.ts";
import type { ServiceAccountTokens } from "../auth/service-account-tokens.ts";
import type { WatchCache } from "../cache/watch-cache.ts";
import type { Committer } from "../core/committer.ts";
import type { KindTable } from "../core/kind-table.ts";
import type { Machinery } from "../core/machinery.ts";
import type { Reader } from "../core/reader.ts";
import type { ResourceCore } from "../core/resource-core.ts";
import type { StatusCodec } from "../core/status-codec.ts";
import type { WritePipeline } from "../core/write-pipeline.ts";
import { PodBinding } from "./binding.ts";
import { Eviction } from "./eviction.ts";
import { selfSubjectReview, tokenReview } from "./reviews.ts";
import { Scale } from "./scale.ts";
import { TokenRequests } from "./token-request.ts";

export interface SubresourceComponents {
  readonly core: ResourceCore;
  readonly kinds: KindTable;
  readonly cache: WatchCache;
  readonly committer: Committer;
  readonly reader: Reader;
  readonly machinery: Machinery;
  readonly pipeline: WritePipeline;
  readonly statusCodec: StatusCodec;
  readonly clock: Clock;
  readonly reads: CachedReads;
  readonly tokens: ServiceAccountTokens;
}

const SCALED = ["/replicationcontrollers", "apps/deployments", "apps/replicasets", "apps/statefulsets"];

/** Tells the core of all subresources with objects of their own, and of the kinds that are asked and never stored. */
export function addSubresources(components: SubresourceComponents): void {
  const { core, kinds, clock, tokens } = components;
  const binding = new PodBinding(components);
  core.addSubresource("/pods/binding", binding);
  core.addSubresource("/bindings/", binding);
  const budgets = kinds.get("policy", "v1", "poddisruptionbudgets");
  const pods = kinds.get("", "v1", "pods");
  const evictionKind = kinds.bodyKind("policy", "v1", "Eviction", pods);
  core.addSubresource("/pods/eviction", new Eviction({ ...components, kind: evictionKind, budgets }));
  const accounts = kinds.get("", "v1", "serviceaccounts");
  const tokenKind = kinds.bodyKind("authentication.k8s.io", "v1", "TokenRequest", accounts);
  core.addSubresource("/serviceaccounts/token", new TokenRequests({ ...components, kind: tokenKind }));
  const scaleKind = kinds.bodyKind("autoscaling", "v1", "Scale", pods);
  const scale = new Scale({ ...components, kind: scaleKind });
  for (const path of SCALED) core.addSubresource(`${path}/scale`, scale);
  core.addReview("authentication.k8s.io/selfsubjectreviews", selfSubjectReview(clock));
  core.addReview("authentication.k8s.io/tokenreviews", tokenReview(tokens));
}
