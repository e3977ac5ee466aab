// The scenario of test/clients by @grpc/proto-loader on proto/ as it stands: client.mjs ADDRESS FOLDER NAME PROTO.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { status as codes, credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const [address, folder, name, proto] = process.argv.slice(2);
const namespace = "default";
const files = [
  "google/rpc/status.proto",
  "k8s.io/apimachinery/pkg/apis/meta/v1/status.proto",
  "keelson/api/v1/resources.proto",
  "keelson/api/core/v1/config_map_service.proto",
  "keelson/api/coordination/v1/lease_service.proto",
];
const definition = loadSync(files, { includeDirs: [proto], enums: String, longs: String });
const { api } = loadPackageDefinition(definition).keelson;

const read = (file) => readFileSync(join(folder, file));
const identity = credentials.createSsl(read("ca.crt"), read("client.key"), read("client.crt"));
const maps = new api.core.v1.ConfigMapService(address, identity);
const leases = new api.coordination.v1.LeaseService(address, identity);
const resources = new api.v1.Resources(address, identity);

const call = (client, method, request) =>
  new Promise((resolve, reject) => {
    const done = (error, answer) => (error === null ? resolve(answer) : reject(error));
    client[method](request, { deadline: Date.now() + 30_000 }, done);
  });
const say = (...words) => process.stdout.write(`${words.join(" ")}\n`);

/** The code of a call that must fail, and the Kubernetes Status in its details. */
async function failure(client, method, request) {
  const error = await call(client, method, request).then(
    () => {
      throw new Error("the call did not fail");
    },
    (thrown) => thrown,
  );
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const [detail] = definition["google.rpc.Status"].deserialize(bytes).details;
  const type = detail.type_url?.split("/").at(-1) ?? detail.typeUrl.split("/").at(-1);
  const { reason, code } = definition[type].deserialize(detail.value);
  return `${codes[error.code]} ${reason} ${code}`;
}

function create(resource, kind, object) {
  const data = Buffer.from(JSON.stringify({ kind, apiVersion: "v1", metadata: { name: object } }));
  const target = { version: "v1", resource, namespace };
  return { create: { target, object: { encoding: "ENCODING_JSON", data } } };
}

const transaction = (transitions, ...operations) => ({
  fence: { namespace, name, holder: "me", transitions },
  operations,
});

const { resourceVersion } = await call(maps, "List", { namespace });
const watch = maps.Watch({ namespace, resourceVersion, selectors: { field: `metadata.name=${name}` } });
const events = (async function* () {
  for await (const batch of watch) yield* batch.events;
})();
const saw = async () => {
  const { type, object } = (await events.next()).value;
  say("watched", type.replace("WATCH_EVENT_TYPE_", ""), object.metadata.name, object.data.a);
};

const { object: created } = await call(maps, "Create", { namespace, object: { metadata: { name }, data: { a: "1" } } });
say("created", created.metadata.name, created.data.a);
await saw();
const update = { namespace, name, object: { ...created, data: { a: "2" } } };
say("updated", (await call(maps, "Update", update)).object.data.a);
await saw();
say("conflict", await failure(maps, "Update", update));

const lease = { metadata: { name }, spec: { holderIdentity: "me", leaseTransitions: 3 } };
await call(leases, "Create", { namespace, object: lease });
const both = [create("configmaps", "ConfigMap", `${name}-t`), create("secrets", "Secret", `${name}-t`)];
say("transacted", (await call(resources, "Transact", transaction(3, ...both))).objects.length);
const half = [create("configmaps", "ConfigMap", `${name}-u`), create("secrets", "Secret", `${name}-t`)];
say("taken", await failure(resources, "Transact", transaction(3, ...half)));
say("absent", await failure(maps, "Get", { namespace, name: `${name}-u` }));
const fenced = create("configmaps", "ConfigMap", `${name}-v`);
say("fenced", await failure(resources, "Transact", transaction(2, fenced)));

await call(maps, "Delete", { namespace, name });
await saw();
say("deleted", await failure(maps, "Get", { namespace, name }));
watch.on("error", () => {});
watch.cancel();
for (const client of [maps, leases, resources]) client.close();
