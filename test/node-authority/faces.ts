import type { KeyPair } from "../../lib/core/key-pair.ts";
import {
  DeleteOptions,
  Encoding,
  ListRequest,
  PatchRequest,
  PatchType,
  ResourcesDefinition,
  Object as RpcObject,
  Target,
  WatchRequest,
  WriteOptions,
} from "../../lib/gen/keelson/api/v1/resources.ts";
import { GrpcChannel } from "../../lib/transport/grpc-client.ts";
import { RpcError } from "../../lib/transport/rpc-error.ts";
import type { ApiFixture } from "../api/api-fixture.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

/** One request, as both faces can make it. Writes are dry runs. */
export interface Ask {
  readonly verb: Verb;
  /** `group/resource/subresource`. */
  readonly what: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly selector?: string;
  readonly body?: object;
}

/** Empty when it was allowed; otherwise why it was forbidden. Any other failure is what it is: allowed, and failed. */
export type Face = (as: KeyPair, ask: Ask) => Promise<string>;

const PATCH = "application/merge-patch+json";

export function restFace(fixture: ApiFixture): Face {
  return async (as, { verb, what, namespace = "", name = "", selector = "", body }) => {
    const [group = "", resource = "", subresource = ""] = what.split("/");
    const root = group === "" ? "/api/v1" : `/apis/${group}/v1`;
    const place = namespace === "" ? "" : `/namespaces/${namespace}`;
    const object = [name, subresource]
      .filter(Boolean)
      .map((part) => `/${part}`)
      .join("");
    const query = new URLSearchParams();
    if (selector !== "") query.set("fieldSelector", selector);
    if (verb === "watch")
      for (const [key, value] of [
        ["watch", "1"],
        ["timeoutSeconds", "1"],
      ])
        query.set(key!, value!);
    if (["create", "update", "patch", "delete"].includes(verb)) query.set("dryRun", "All");
    const methods = {
      get: "GET",
      list: "GET",
      watch: "GET",
      create: "POST",
      update: "PUT",
      patch: "PATCH",
      delete: "DELETE",
    };
    const answer = await fixture.send(methods[verb], `${root}${place}/${resource}${object}?${query}`, {
      as,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(verb === "patch" ? { headers: { "content-type": PATCH } } : {}),
    });
    return answer.status === 403 ? String(answer.json()["message"]) : "";
  };
}

export function grpcFace(fixture: ApiFixture): Face {
  return async (as, ask) => {
    const channel = new GrpcChannel({
      target: `127.0.0.1:${fixture.api.grpcPort}`,
      tls: { caPem: fixture.serverCaPem, certPem: as.certPem, keyPem: as.keyPem },
    });
    try {
      await call(channel, ask);
      return "";
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return error.code === "PERMISSION_DENIED" ? error.message : "";
    } finally {
      channel.close();
    }
  };
}

async function call(channel: GrpcChannel, { verb, what, namespace = "", name = "", selector = "", body }: Ask) {
  const client = channel.client(ResourcesDefinition);
  const [group = "", resource = "", subresource = ""] = what.split("/");
  const target = Target.fromPartial({ group, version: "v1", resource, subresource, namespace, name });
  const selectors = { field: selector, label: "" };
  const options = WriteOptions.fromPartial({ dryRun: true });
  const data = Buffer.from(JSON.stringify(body ?? {}));
  const object = RpcObject.fromPartial({ encoding: Encoding.ENCODING_JSON, data });
  switch (verb) {
    case "get":
      return void (await client.get({ target, encoding: Encoding.ENCODING_JSON, resourceVersion: "" }));
    case "list":
      return void (await client.list(ListRequest.fromPartial({ target, selectors })));
    case "watch":
      for await (const _ of client.watch(WatchRequest.fromPartial({ target, selectors, timeoutSeconds: 1n })));
      return;
    case "create":
      return void (await client.create({ target, object, options }));
    case "update":
      return void (await client.update({ target, object, options }));
    case "patch":
      return void (await client.patch(
        PatchRequest.fromPartial({ target, type: PatchType.PATCH_TYPE_MERGE, patch: data, options }),
      ));
    case "delete":
      return void (await client.delete({ target, options: DeleteOptions.fromPartial({ dryRun: true }) }));
  }
}
