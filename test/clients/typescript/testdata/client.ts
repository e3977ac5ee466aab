// The scenario of test/clients with code that buf and ts-proto made: client.ts ADDRESS FOLDER NAME.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ClientUnaryCall, credentials, type ServiceError, status as codes } from "@grpc/grpc-js";
import { Status as RpcStatus } from "./gen/google/rpc/status.ts";
import { Status } from "./gen/k8s.io/apimachinery/pkg/apis/meta/v1/status.ts";
import { LeaseServiceClient, LeaseServiceCreateRequest } from "./gen/keelson/api/coordination/v1/lease_service.ts";
import {
  ConfigMapServiceClient,
  ConfigMapServiceCreateRequest,
  ConfigMapServiceDeleteRequest,
  ConfigMapServiceGetRequest,
  ConfigMapServiceListRequest,
  ConfigMapServiceUpdateRequest,
  type ConfigMapServiceWatchEvent,
  ConfigMapServiceWatchRequest,
  type ConfigMapServiceWatchResponse,
} from "./gen/keelson/api/core/v1/config_map_service.ts";
import { Encoding, GetRequest, type Operation, ResourcesClient, TransactRequest, WatchEventType } from "./gen/keelson/api/v1/resources.ts";

const [address = "", folder = "", name = ""] = process.argv.slice(2);
const namespace = "default";
const read = (file: string): Buffer => readFileSync(join(folder, file));
const identity = credentials.createSsl(read("ca.crt"), read("client.key"), read("client.crt"));
const maps = new ConfigMapServiceClient(address, identity);
const leases = new LeaseServiceClient(address, identity);
const resources = new ResourcesClient(address, identity);

type Done<A> = (error: ServiceError | null, answer: A) => void;

function call<A>(start: (done: Done<A>) => ClientUnaryCall): Promise<A> {
  return new Promise((resolve, reject) => {
    start((error, answer) => (error === null ? resolve(answer) : reject(error)));
  });
}

function say(...words: unknown[]): void {
  process.stdout.write(`${words.join(" ")}\n`);
}

/** The code of a call that must fail, and the Kubernetes Status in its details. */
async function failure(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => {
      throw new Error("the call did not fail");
    },
    (thrown: unknown) => thrown as ServiceError,
  );
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const [detail] = RpcStatus.decode(bytes as Buffer).details;
  if (detail === undefined) throw new Error("no details");
  const { reason, code } = Status.decode(detail.value);
  return `${codes[error.code]} ${reason} ${code}`;
}

function create(resource: string, kind: string, object: string): Operation {
  const data = Buffer.from(JSON.stringify({ kind, apiVersion: "v1", metadata: { name: object } }));
  const target = { group: "", version: "v1", resource, namespace, name: "", subresource: "" };
  const value = { target, object: { encoding: Encoding.ENCODING_JSON, data }, options: undefined };
  return { operation: { $case: "create", value } };
}

function transact(transitions: number, ...operations: Operation[]) {
  const fence = { namespace, name, holder: "me", transitions };
  return call<{ objects: unknown[] }>((done) => resources.transact(TransactRequest.fromPartial({ fence, operations }), done));
}

const get = (object: string) =>
  call((done) => maps.get(ConfigMapServiceGetRequest.fromPartial({ namespace, name: object }), done));

const { resourceVersion } = await call<{ resourceVersion: string }>((done) => maps.list(ConfigMapServiceListRequest.fromPartial({ namespace }), done));
const selectors = { field: `metadata.name=${name}` };
const watch = maps.watch(ConfigMapServiceWatchRequest.fromPartial({ namespace, resourceVersion, selectors }));
const events = (async function* (): AsyncGenerator<ConfigMapServiceWatchEvent> {
  for await (const batch of watch as AsyncIterable<ConfigMapServiceWatchResponse>) yield* batch.events;
})();
async function saw(): Promise<void> {
  const event: ConfigMapServiceWatchEvent = (await events.next()).value;
  const type = Object.entries(WatchEventType).find(([, value]) => value === event.type)?.[0];
  say("watched", type?.replace("WATCH_EVENT_TYPE_", ""), event.object?.metadata?.name, event.object?.data["a"]);
}

const wanted = ConfigMapServiceCreateRequest.fromPartial({ namespace, object: { metadata: { name }, data: { a: "1" } } });
const { object: created } = await call<{ object?: typeof wanted.object }>((done) => maps.create(wanted, done));
say("created", created?.metadata?.name, created?.data["a"]);
await saw();
const update = ConfigMapServiceUpdateRequest.fromPartial({ namespace, name, object: { ...created, data: { a: "2" } } });
say("updated", (await call<{ object?: typeof wanted.object }>((done) => maps.update(update, done))).object?.data["a"]);
await saw();
say("conflict", await failure(call((done) => maps.update(update, done))));

const lease = { metadata: { name }, spec: { holderIdentity: "me", leaseTransitions: 3 } };
await call((done) => leases.create(LeaseServiceCreateRequest.fromPartial({ namespace, object: lease }), done));
const both = await transact(3, create("configmaps", "ConfigMap", `${name}-t`), create("secrets", "Secret", `${name}-t`));
say("transacted", both.objects.length);
say("taken", await failure(transact(3, create("configmaps", "ConfigMap", `${name}-u`), create("secrets", "Secret", `${name}-t`))));
say("absent", await failure(get(`${name}-u`)));
say("fenced", await failure(transact(2, create("configmaps", "ConfigMap", `${name}-v`))));

await call((done) => maps.delete(ConfigMapServiceDeleteRequest.fromPartial({ namespace, name }), done));
await saw();
// The last by Resources, which says the same.
const target = { version: "v1", resource: "configmaps", namespace, name };
say("deleted", await failure(call((done) => resources.get(GetRequest.fromPartial({ target }), done))));
watch.on("error", () => {});
watch.cancel();
for (const client of [maps, leases, resources]) client.close();
