import {
  type Compare_CompareResult,
  Compare_CompareTarget,
  type Compare as CompareMessage,
  type DeleteRangeResponse,
  type PutResponse,
  type RangeRequest as RangeMessage,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RangeResponse,
  type RequestOp,
  type ResponseHeader,
  type ResponseOp,
  type TxnRequest as TxnMessage,
  type TxnResponse,
  type WatchCreateRequest,
  WatchCreateRequest_FilterType,
} from "../gen/etcd/etcdserverpb/rpc.ts";
import { type Event, Event_EventType, type KeyValue as KeyValueMessage } from "../gen/etcd/mvccpb/kv.ts";
import {
  type Compare,
  type KeyValue,
  type RangeRequest,
  type RangeResult,
  StoreError,
  type StoreEvent,
  type StoreOp,
  type StoreOpResult,
  type TxnRequest,
  type TxnResult,
  type WatchRequest,
} from "./store.ts";

/**
 * The store's requests and answers as messages of the etcd v3 API and back. `xMessage` makes the message, `xOf` reads
 * one; a server uses half of them, a client the other half.
 */

const NO_BYTES = Buffer.alloc(0);

export function buffer(bytes: Uint8Array | undefined): Buffer {
  if (bytes === undefined) return NO_BYTES;
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function keyValueMessage(kv: KeyValue): KeyValueMessage {
  return {
    key: buffer(kv.key),
    createRevision: BigInt(kv.createRevision),
    modRevision: BigInt(kv.modRevision),
    version: BigInt(kv.version),
    value: buffer(kv.value),
    lease: kv.lease,
  };
}

export function keyValueOf(message: KeyValueMessage): KeyValue {
  return {
    key: message.key,
    value: message.value,
    createRevision: Number(message.createRevision),
    modRevision: Number(message.modRevision),
    version: Number(message.version),
    lease: message.lease,
  };
}

type SortTarget = NonNullable<RangeRequest["sort"]>["target"];
const SORT_TARGETS: readonly SortTarget[] = ["key", "version", "create", "mod", "value"];

function invalidSort(): StoreError {
  return new StoreError("INVALID_ARGUMENT", "etcdserver: invalid sort option");
}

export function rangeOf(message: RangeMessage): RangeRequest {
  const sort = sortOf(message);
  return {
    key: message.key,
    ...(message.rangeEnd.length > 0 ? { rangeEnd: message.rangeEnd } : {}),
    limit: Number(message.limit),
    revision: Number(message.revision),
    ...(sort === undefined ? {} : { sort }),
    keysOnly: message.keysOnly,
    countOnly: message.countOnly,
    minModRevision: Number(message.minModRevision),
    maxModRevision: Number(message.maxModRevision),
    minCreateRevision: Number(message.minCreateRevision),
    maxCreateRevision: Number(message.maxCreateRevision),
    serializable: message.serializable,
  };
}

/** etcd sorts upwards when only a target other than the key is given. */
function sortOf(message: RangeMessage): RangeRequest["sort"] | undefined {
  const target = SORT_TARGETS[message.sortTarget];
  if (target === undefined || message.sortOrder < 0 || message.sortOrder > 2) throw invalidSort();
  if (message.sortOrder === RangeRequest_SortOrder.NONE) {
    return target === "key" ? undefined : { target, order: "ascend" };
  }
  return { target, order: message.sortOrder === RangeRequest_SortOrder.ASCEND ? "ascend" : "descend" };
}

export function rangeMessage(request: RangeRequest): RangeMessage {
  const { sort } = request;
  return {
    key: buffer(request.key),
    rangeEnd: buffer(request.rangeEnd),
    limit: BigInt(request.limit ?? 0),
    revision: BigInt(request.revision ?? 0),
    sortOrder: sort === undefined ? RangeRequest_SortOrder.NONE : sortOrder(sort.order),
    sortTarget: sort === undefined ? RangeRequest_SortTarget.KEY : sortTarget(sort.target),
    serializable: request.serializable ?? false,
    keysOnly: request.keysOnly ?? false,
    countOnly: request.countOnly ?? false,
    minModRevision: BigInt(request.minModRevision ?? 0),
    maxModRevision: BigInt(request.maxModRevision ?? 0),
    minCreateRevision: BigInt(request.minCreateRevision ?? 0),
    maxCreateRevision: BigInt(request.maxCreateRevision ?? 0),
  };
}

function sortOrder(order: string): RangeRequest_SortOrder {
  if (order === "ascend") return RangeRequest_SortOrder.ASCEND;
  if (order === "descend") return RangeRequest_SortOrder.DESCEND;
  throw invalidSort();
}

function sortTarget(target: SortTarget): RangeRequest_SortTarget {
  const at = SORT_TARGETS.indexOf(target);
  if (at < 0) throw invalidSort();
  return at as RangeRequest_SortTarget;
}

export function rangeResponse(result: RangeResult, header: ResponseHeader): RangeResponse {
  return { header, kvs: result.kvs.map(keyValueMessage), more: result.more, count: BigInt(result.count) };
}

export function rangeResultOf(message: RangeResponse): RangeResult {
  return {
    revision: revisionOf(message),
    kvs: message.kvs.map(keyValueOf),
    more: message.more,
    count: Number(message.count),
  };
}

export function revisionOf(message: { header: ResponseHeader | undefined }): number {
  return Number(message.header?.revision ?? 0n);
}

export function txnOf(message: TxnMessage): TxnRequest {
  return {
    compare: message.compare.map(compareOf),
    success: message.success.map(opOf),
    failure: message.failure.map(opOf),
  };
}

export function txnMessage(request: TxnRequest): TxnMessage {
  return {
    compare: request.compare.map(compareMessage),
    success: request.success.map(opMessage),
    failure: (request.failure ?? []).map(opMessage),
  };
}

const COMPARE_RESULTS: readonly Compare["result"][] = ["equal", "greater", "less", "notEqual"];
const COMPARE_TARGETS = { version: "version", create: "createRevision", mod: "modRevision" } as const;

function compareOf(message: CompareMessage): Compare {
  const result = COMPARE_RESULTS[message.result];
  if (result === undefined) throw new StoreError("INVALID_ARGUMENT", "etcdserver: unknown comparison");
  const value = message.targetUnion?.value;
  const base = {
    key: message.key,
    result,
    ...(message.rangeEnd.length > 0 ? { rangeEnd: message.rangeEnd } : {}),
  };
  const number = typeof value === "bigint" ? value : 0n;
  switch (message.target) {
    case Compare_CompareTarget.VERSION:
      return { ...base, target: "version", value: Number(number) };
    case Compare_CompareTarget.CREATE:
      return { ...base, target: "create", value: Number(number) };
    case Compare_CompareTarget.MOD:
      return { ...base, target: "mod", value: Number(number) };
    case Compare_CompareTarget.LEASE:
      return { ...base, target: "lease", value: number };
    case Compare_CompareTarget.VALUE:
      return { ...base, target: "value", value: value instanceof Uint8Array ? value : NO_BYTES };
    default:
      throw new StoreError("INVALID_ARGUMENT", "etcdserver: unknown comparison target");
  }
}

function compareMessage(compare: Compare): CompareMessage {
  return {
    result: COMPARE_RESULTS.indexOf(compare.result) as Compare_CompareResult,
    key: buffer(compare.key),
    rangeEnd: buffer(compare.rangeEnd),
    ...compareTarget(compare),
  };
}

function compareTarget(compare: Compare): Pick<CompareMessage, "target" | "targetUnion"> {
  switch (compare.target) {
    case "value":
      return { target: Compare_CompareTarget.VALUE, targetUnion: { $case: "value", value: buffer(compare.value) } };
    case "lease":
      return { target: Compare_CompareTarget.LEASE, targetUnion: { $case: "lease", value: compare.value } };
    default: {
      const $case = COMPARE_TARGETS[compare.target];
      const target = { version: 0, create: 1, mod: 2 } as const;
      return { target: target[compare.target], targetUnion: { $case, value: BigInt(compare.value) } };
    }
  }
}

function opOf(message: RequestOp): StoreOp {
  const { request } = message;
  switch (request?.$case) {
    case "requestRange":
      return { type: "range", ...rangeOf(request.value) };
    case "requestPut":
      return { type: "put", ...request.value };
    case "requestDeleteRange":
      return { type: "delete", ...request.value };
    case "requestTxn":
      return { type: "txn", ...txnOf(request.value) };
    default:
      // etcd calls an operation without content one without a key.
      throw new StoreError("INVALID_ARGUMENT", "etcdserver: key not found");
  }
}

function opMessage(op: StoreOp): RequestOp {
  switch (op.type) {
    case "range":
      return { request: { $case: "requestRange", value: rangeMessage(op) } };
    case "put": {
      const { lease = 0n, prevKv = false, ignoreValue = false, ignoreLease = false } = op;
      const value = { key: buffer(op.key), value: buffer(op.value), lease, prevKv, ignoreValue, ignoreLease };
      return { request: { $case: "requestPut", value } };
    }
    case "delete": {
      const value = { key: buffer(op.key), rangeEnd: buffer(op.rangeEnd), prevKv: op.prevKv ?? false };
      return { request: { $case: "requestDeleteRange", value } };
    }
    case "txn":
      return { request: { $case: "requestTxn", value: txnMessage(op) } };
  }
}

export function txnResponse(result: TxnResult, header: ResponseHeader): TxnResponse {
  const responses = result.responses.map((response) => ({ response: opResponse(response, header) }));
  return { header, succeeded: result.succeeded, responses };
}

function opResponse(result: StoreOpResult, header: ResponseHeader): NonNullable<ResponseOp["response"]> {
  switch (result.type) {
    case "range":
      return { $case: "responseRange", value: rangeResponse(result, header) };
    case "put":
      return { $case: "responsePut", value: putResponse(result, header) };
    case "delete":
      return { $case: "responseDeleteRange", value: deleteResponse(result, header) };
    case "txn":
      return { $case: "responseTxn", value: txnResponse(result, header) };
  }
}

export function putResponse(result: Extract<StoreOpResult, { type: "put" }>, header: ResponseHeader): PutResponse {
  return { header, prevKv: result.prevKv === undefined ? undefined : keyValueMessage(result.prevKv) };
}

export function deleteResponse(
  result: Extract<StoreOpResult, { type: "delete" }>,
  header: ResponseHeader,
): DeleteRangeResponse {
  return { header, deleted: BigInt(result.deleted), prevKvs: result.prevKvs.map(keyValueMessage) };
}

export function txnResultOf(message: TxnResponse, revision = revisionOf(message)): TxnResult {
  return { revision, succeeded: message.succeeded, responses: message.responses.map((op) => opResultOf(op, revision)) };
}

function opResultOf(message: ResponseOp, revision: number): StoreOpResult {
  const { response } = message;
  switch (response?.$case) {
    case "responseRange":
      return { type: "range", ...rangeResultOf(response.value) };
    case "responsePut": {
      const { prevKv } = response.value;
      return { type: "put", ...(prevKv === undefined ? {} : { prevKv: keyValueOf(prevKv) }) };
    }
    case "responseDeleteRange": {
      const { deleted, prevKvs } = response.value;
      return { type: "delete", deleted: Number(deleted), prevKvs: prevKvs.map(keyValueOf) };
    }
    case "responseTxn":
      return { type: "txn", ...txnResultOf(response.value, revision) };
    default:
      throw new StoreError("UNKNOWN", "the server answered an operation with nothing");
  }
}

export function eventMessage(event: StoreEvent): Event {
  return {
    type: event.type === "put" ? Event_EventType.PUT : Event_EventType.DELETE,
    kv: keyValueMessage(event.kv),
    prevKv: event.prevKv === undefined ? undefined : keyValueMessage(event.prevKv),
  };
}

export function eventOf(message: Event): StoreEvent {
  return {
    type: message.type === Event_EventType.PUT ? "put" : "delete",
    kv: keyValueOf(message.kv!),
    ...(message.prevKv === undefined ? {} : { prevKv: keyValueOf(message.prevKv) }),
  };
}

export function watchOf(message: WatchCreateRequest): WatchRequest {
  return {
    key: message.key,
    ...(message.rangeEnd.length > 0 ? { rangeEnd: message.rangeEnd } : {}),
    startRevision: Number(message.startRevision),
    prevKv: message.prevKv,
    progressNotify: message.progressNotify,
    filters: message.filters.map((filter) => (filter === WatchCreateRequest_FilterType.NOPUT ? "noput" : "nodelete")),
  };
}

export function watchMessage(request: WatchRequest, watchId: bigint, startRevision: number): WatchCreateRequest {
  const { filters = [] } = request;
  return {
    key: buffer(request.key),
    rangeEnd: buffer(request.rangeEnd),
    startRevision: BigInt(startRevision),
    progressNotify: request.progressNotify ?? false,
    filters: filters.map((filter) =>
      filter === "noput" ? WatchCreateRequest_FilterType.NOPUT : WatchCreateRequest_FilterType.NODELETE,
    ),
    prevKv: request.prevKv ?? false,
    watchId,
    fragment: true,
  };
}
