import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../lib/core/log.ts";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { kindDescriptors } from "../../../lib/gen/k8s/descriptors.ts";
import { configMaps } from "../../../lib/gen/k8s/resources.ts";
import {
  DeleteCollectionRequest,
  Encoding,
  GetRequest,
  ListRequest,
} from "../../../lib/gen/keelson/api/v1/resources.ts";
import { Authority, generateSigningKey } from "../../../lib/pki/authority.ts";
import { realClock } from "../../../lib/process/real-clock.ts";
import { loadRegistry } from "../../../lib/resource/registry.ts";
import type { RangeRequest, Store } from "../../../lib/store/store.ts";
import type { ServerCall } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import { openStore } from "../../store/open-store.ts";
import { Authenticator } from "../auth/authenticator.ts";
import { SYSTEM_MASTERS } from "../auth/authorizer.ts";
import { InMemoryClient } from "../client/in-memory-client.ts";
import { bootstrap } from "../core/bootstrap.ts";
import { type BuiltCore, buildCore } from "../core/build-core.ts";
import { type ResourcesHandlers, resourcesService } from "./resources-service.ts";

const OBJECTS = 1_000;
const clock = realClock;
const random = new SeededRandom(1);
const keys = await generateSigningKey();
const authority = await Authority.create("client", clock, random);
const admin = await authority.issue({
  commonName: "admin",
  organizations: [SYSTEM_MASTERS],
  usages: ["client"],
  validityDays: 1,
});
const peerCertificate = Buffer.from(admin.certPem.replaceAll(/-----[^-]+-----/g, ""), "base64");
const target = { group: "", version: "v1", resource: "configmaps", namespace: "default" };
const gone = new RpcError("CANCELLED", "the client cancelled the call");

let store: Store;
let built: BuiltCore;
let resources: ResourcesHandlers;
/** Reads of the store wait for it. */
let gate: Promise<void> | undefined;
let encoded = 0;
let onEncode: () => void;
let abort: AbortController;

beforeEach(async () => {
  gate = undefined;
  encoded = 0;
  onEncode = () => {};
  abort = new AbortController();
  const log = silentLog;
  store = await openStore({ clock, random, log, onFatal: (reason) => expect.unreachable(reason) });
  const gated = new Proxy(store, {
    get(real, name) {
      if (name === "range")
        return async (request: RangeRequest) => await (gate ?? Promise.resolve()).then(() => real.range(request));
      const value: unknown = Reflect.get(real, name);
      return typeof value === "function" ? value.bind(real) : value;
    },
  });
  const issuer = "https://issuer";
  built = buildCore(
    { store: gated, registry: loadRegistry(kindDescriptors), clock, random, log },
    { serviceAccount: { ...keys, issuer } },
  );
  await built.cache.start();
  const client = new InMemoryClient(built, { user: "admin", groups: [SYSTEM_MASTERS] });
  await bootstrap(client);
  const names = Array.from({ length: OBJECTS }, (_, index) => `map-${index}`);
  await Promise.all(names.map((name) => client.create(configMaps, { metadata: { name, namespace: "default" } })));
  resources = resourcesService({ ...built, authenticator: new Authenticator(built.tokens) });
});

afterEach(async () => {
  await built.cache.stop();
  await store.close();
});

function call(): ServerCall {
  return { signal: abort.signal, peer: "", header: () => undefined, peerCertificate };
}

async function failure(answer: Promise<unknown>): Promise<Error> {
  return await answer.then(
    () => expect.unreachable("the call did not fail"),
    (error: unknown) => error as Error,
  );
}

/** Counts what is encoded of the objects from here on. */
function countEncoding(): void {
  const kind = built.kinds.get("", "v1", "configmaps");
  const json = kind.encodeJson.bind(kind);
  Object.assign(kind, {
    encodeJson(object: Parameters<typeof json>[0]) {
      encoded++;
      onEncode();
      return json(object);
    },
  });
}

test("a list whose client goes away is encoded no further", async () => {
  countEncoding();
  const request = ListRequest.fromPartial({ target, encoding: Encoding.ENCODING_JSON });
  onEncode = () => abort.abort(gone);
  expect(await failure(resources.list(request, call()))).toBe(gone);
  expect(encoded).toBeLessThanOrEqual(200);
  onEncode = () => {};
  abort = new AbortController();
  expect((await resources.list(request, call())).items).toHaveLength(OBJECTS);
  expect(encoded).toBe(OBJECTS);
});

test("nobody waits for a store that does not answer once the client is gone, and nothing is read for it", async () => {
  countEncoding();
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  const list = resources.list(ListRequest.fromPartial({ target, encoding: Encoding.ENCODING_JSON }), call());
  const named = { ...target, name: "map-1" };
  const get = resources.get(GetRequest.fromPartial({ target: named, encoding: Encoding.ENCODING_JSON }), call());
  const remove = resources.deleteCollection(DeleteCollectionRequest.fromPartial({ target }), call());
  const ended = Promise.allSettled([list, get, remove]);
  abort.abort(gone);
  expect(await ended).toEqual(Array(3).fill({ status: "rejected", reason: gone }));
  resolve();
  await built.cache.fresh();
  expect(encoded).toBe(0);
  expect(built.cache.of(built.kinds.get("", "v1", "configmaps").stored).get("default/map-1")).toBeDefined();
});

test("a collection whose client goes away is deleted no further", async () => {
  const before = built.cache.revision;
  const remove = resources.deleteCollection(DeleteCollectionRequest.fromPartial({ target }), call());
  await built.cache.reached(before + 1);
  abort.abort(gone);
  expect(await failure(remove)).toBe(gone);
  const cache = built.cache.of(built.kinds.get("", "v1", "configmaps").stored);
  expect(cache.get("default/map-999")).toBeDefined();
});
