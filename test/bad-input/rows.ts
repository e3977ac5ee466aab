/** What is done about a clause of the table "Bad inputs and right errors". */
export type RowState =
  | { readonly test: string; readonly titles: readonly string[] }
  | { readonly later: string }
  | { readonly notApplicable: string };

export interface Row {
  readonly interface: string;
  readonly clause: string;
  readonly state: RowState;
}

/** `file` has tests of these titles, or of titles that a table in it gives. */
function tested(file: string, ...titles: string[]): RowState {
  return { test: file, titles };
}

/** A clause that is the title of its own test. */
const ITS_OWN = Symbol("its own test");

function rowsOf(
  name: string,
  file: string,
  states: Readonly<Record<string, RowState | typeof ITS_OWN>>,
): readonly Row[] {
  return Object.entries(states).map(([clause, state]) => ({
    interface: name,
    clause,
    state: state === ITS_OWN ? tested(file, clause) : state,
  }));
}

const FIELDS = "test/bad-input/rest-fields.test.ts";
const APPLY = "test/api/server-side-apply.test.ts";
const ETCD = "test/store/bad-input.test.ts";
const CNI = "test/cni/plugins.test.ts";
const CNI_ROWS = "test/cni/rows.ts";

const NO_USERS: RowState = {
  notApplicable: "the store has no users, roles or grants: a client certificate opens all of it or nothing",
};

/** Each clause for the interfaces that are built, and where it is tested. `test/tidy/bad-input.test.ts` compares. */
export const ROWS: readonly Row[] = [
  ...rowsOf("REST shape", "test/bad-input/rest-shape.test.ts", {
    "bad JSON -> 400": ITS_OWN,
    "trailing data -> 400": ITS_OWN,
    "NaN/1e400 -> 400": ITS_OWN,
    "lone surrogate -> 400": ITS_OWN,
    "invalid UTF-8 -> 400": ITS_OWN,
    "depth > 100 (CR schemas 10 k nodes) -> 400": ITS_OWN,
    "body > 3 MiB -> 413": ITS_OWN,
    "unknown Content-Type 415": ITS_OWN,
    "Accept 406": ITS_OWN,
    "wrong verb 405": ITS_OWN,
  }),
  ...rowsOf("REST fields", FIELDS, {
    "unknown/duplicate field by fieldValidation Strict 400, Warn header, Ignore": ITS_OWN,
    "int64 beyond 2^53 kept exact": ITS_OWN,
    "`__proto__`, `constructor` as map keys stored as plain data (null-prototype maps)": ITS_OWN,
    "name `..` -> 422/404 and never reach key building (NCC)": tested(FIELDS, "name `..`"),
    "`%2e%2e` -> 422/404 and never reach key building (NCC)": tested(FIELDS, "`%2e%2e`"),
    "`/` -> 422/404 and never reach key building (NCC)": tested(FIELDS, "`/`"),
    "NUL -> 422/404 and never reach key building (NCC)": tested(FIELDS, "NUL"),
    "254 chars -> 422/404 and never reach key building (NCC)": tested(FIELDS, "254 chars"),
  }),
  ...rowsOf("REST queries", "test/bad-input/rest-queries.test.ts", {
    "resourceVersion `abc` -> 400": ITS_OWN,
    "-1 -> 400": ITS_OWN,
    'future RV -> 504 + "Too large resource version" + Retry-After': ITS_OWN,
    "compacted -> 410 Expired": ITS_OWN,
    "resourceVersionMatch without RV -> 422": ITS_OWN,
    "bad selector 400": ITS_OWN,
    "limit < 0 400 (our rule)": ITS_OWN,
    "forged continue 400": ITS_OWN,
    "sendInitialEvents without NotOlderThan 422": ITS_OWN,
  }),
  ...rowsOf("REST patch", "test/bad-input/rest-patch.test.ts", {
    "JSON patch > 10 k ops 413/422": ITS_OWN,
    "test fails 422": ITS_OWN,
    "copy bombs stopped by output size": ITS_OWN,
    "apply without fieldManager 422 (mem)": tested(APPLY, "apply without fieldManager 422"),
    "managedFields in apply 400 (mem)": tested(APPLY, "managedFields in apply 400"),
    "apply conflict 409 with causes": tested(APPLY, "apply conflict 409 with causes"),
    "YAML aliases > 100 or tabs 400": ITS_OWN,
    "uid or RV mismatch 409": ITS_OWN,
    "namespace mismatch 400": ITS_OWN,
  }),
  ...rowsOf("REST conns", "test/bad-input/rest-connections.test.ts", {
    "slow headers/body: 408/close at 10 s": ITS_OWN,
    "TLS handshake > 10 s closed (etcd GHSA-6vch)": ITS_OWN,
    "rapid reset -> GOAWAY": ITS_OWN,
    "CONTINUATION flood -> GOAWAY": ITS_OWN,
    "HPACK bomb -> GOAWAY": ITS_OWN,
    "> N streams REFUSED_STREAM": ITS_OWN,
    "upgrade to unknown protocol 400": ITS_OWN,
    "failed upgrade closes backend socket (CVE-2018-1002105)": {
      later: "the proxies of exec, attach and port-forward: nothing is upgraded to a backend yet",
    },
  }),
  ...rowsOf("gRPC API", "test/bad-input/grpc.test.ts", {
    "bad wire type -> INVALID_ARGUMENT": ITS_OWN,
    "truncated -> INVALID_ARGUMENT": ITS_OWN,
    "group tags -> INVALID_ARGUMENT": ITS_OWN,
    "recursion > 100 -> INVALID_ARGUMENT": ITS_OWN,
    "varint > 10 B -> INVALID_ARGUMENT": ITS_OWN,
    "packed bomb -> INVALID_ARGUMENT": ITS_OWN,
    "> 4 MiB (after decompression too) RESOURCE_EXHAUSTED": ITS_OWN,
    "unknown method UNIMPLEMENTED": ITS_OWN,
    "no creds UNAUTHENTICATED": ITS_OWN,
    "conflict ABORTED": ITS_OWN,
    "gone OUT_OF_RANGE": ITS_OWN,
    "invalid UTF-8 string INVALID_ARGUMENT": ITS_OWN,
    "deadline honoured and work cancelled": ITS_OWN,
  }),
  ...rowsOf("etcd API", ETCD, {
    "empty key -> INVALID_ARGUMENT": tested(
      ETCD,
      "empty key in put",
      "empty key in range",
      "empty key in delete",
      "empty key in a compare",
    ),
    "> 128 ops (count nested) -> INVALID_ARGUMENT": tested(ETCD, "> 128 ops", "> 128 ops, nested"),
    "duplicate key in txn -> INVALID_ARGUMENT": tested(ETCD, "duplicate key in txn"),
    "> 1.5 MiB -> INVALID_ARGUMENT": tested(ETCD, "> 1.5 MiB"),
    "bad sort -> INVALID_ARGUMENT": tested(ETCD, "bad sort target", "bad sort order"),
    "compacted/future rev, TTL > 9e9 OUT_OF_RANGE": tested(ETCD, "compacted revision", "future revision", "TTL > 9e9"),
    "unknown lease NOT_FOUND": tested(ETCD, "unknown lease", "unknown lease revoked"),
    "same lease id FAILED_PRECONDITION": tested(ETCD, "same lease id"),
    "no space RESOURCE_EXHAUSTED": tested(ETCD, "no space"),
    "no leader/stopped UNAVAILABLE": tested(ETCD, "stopped: UNAVAILABLE"),
    "hash mismatch DATA_LOSS": {
      notApplicable:
        "a store of one member has no second copy to compare with; a damaged snapshot is refused on restore",
    },
    "range_end < key empty result": tested(ETCD, "range_end < key: an empty result"),
    "watch id reuse, cancel of unknown id: in-stream error": tested(
      ETCD,
      "watch id reuse: an answer in the stream",
      "cancel of an unknown id: an answer in the stream",
    ),
    "nested txn and prevKV obey the same authz as top level (CVE-2026-33343, -44283)": NO_USERS,
    "single-key grant must not watch the tail (GHSA-xg4h)": NO_USERS,
  }),
  ...rowsOf("CNI stdin/env", CNI, {
    "empty/not JSON code 6": tested(CNI_ROWS, "empty standard input", "standard input that is not JSON"),
    "read fail 5": tested(CNI, "one that cannot be read code 5"),
    "unknown cniVersion 1": tested(CNI_ROWS, "an unknown cniVersion"),
    "unsupported field 2 (name key + value)": tested(CNI_ROWS, "an unsupported field, named with its value"),
    "missing or unsafe CONTAINERID/IFNAME (`..`, `/`, > 15 chars) 4": tested(
      CNI_ROWS,
      "no CNI_CONTAINERID",
      "a CNI_CONTAINERID with ..",
      "a CNI_CONTAINERID with /",
      "no CNI_IFNAME",
      "a CNI_IFNAME of ..",
      "a CNI_IFNAME with /",
      "a CNI_IFNAME over 15 characters",
    ),
    "bad IPAM range 7": tested(CNI_ROWS, "a bad subnet", "a range outside its subnet", "a gateway outside its subnet"),
    "pool empty 11 or 50 in STATUS": tested(CNI, "an empty pool is code 11 for ADD and 50 for STATUS"),
    "ADD twice error": tested(CNI, "ADD twice is an error"),
    "DEL twice 0": tested(CNI, "DEL twice and without a namespace is none"),
    "CHECK with gone link error": tested(CNI, "CHECK sees what is gone"),
    "error JSON on stdout (what libcni reads, mem; SPEC text names stderr once and stdout once), free text on stderr":
      tested(CNI, "$name: code $code"),
    "args never via a shell": tested(CNI, "what would mean something to a shell is a name like any other"),
  }),
];
