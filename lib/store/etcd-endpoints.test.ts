import { afterEach, beforeEach, expect, test } from "vitest";
import { type Log, silentLog } from "../core/log.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { type RpcCode, RpcError } from "../transport/rpc-error.ts";
import { type EtcdCallKind, EtcdEndpoints, storeErrorOf } from "./etcd-endpoints.ts";

const ADDRESSES = ["a:1", "b:1", "c:1"];

let clock: VirtualClock;
let endpoints: EtcdEndpoints;
let asked: string[];
let logged: string[];
/** What an endpoint fails with; one that is not named answers with its address. */
let failures: Record<string, RpcError>;

beforeEach(() => {
  clock = new VirtualClock();
  asked = [];
  logged = [];
  failures = {};
  const say = (message: string, keys?: { endpoint?: string }) => void logged.push(`${keys?.endpoint}: ${message}`);
  const log: Log = { ...silentLog, warn: say, info: say };
  endpoints = new EtcdEndpoints({ clock, log }, { endpoints: ADDRESSES });
});

afterEach(() => endpoints.close());

function call(kind: EtcdCallKind): Promise<string> {
  return endpoints.call(kind, async ({ address }) => {
    asked.push(address);
    await Promise.resolve();
    if (failures[address] !== undefined) throw failures[address];
    return address;
  });
}

const lost = new RpcError("UNAVAILABLE", "Connection dropped");
const noLeader = new RpcError("UNAVAILABLE", "etcdserver: no leader");
const everywhere = (error: RpcError) => Object.fromEntries(ADDRESSES.map((address) => [address, error]));

test("calls that fail together leave the endpoint once", async () => {
  failures = { "a:1": lost };
  expect(await Promise.all(Array.from({ length: 5 }, () => call("read")))).toEqual(Array(5).fill("b:1"));
  expect(await call("read")).toBe("b:1");
  expect(logged).toEqual(["a:1: an endpoint of the store fails"]);
  failures = { "b:1": lost, "c:1": lost };
  expect(await call("read")).toBe("a:1");
  expect(logged.at(-1)).toBe("a:1: an endpoint of the store answers again");
});

test("a write that may have been done is not repeated; one that was not is", async () => {
  failures = { "a:1": lost };
  await expect(call("write")).rejects.toMatchObject({ code: "UNAVAILABLE", message: "Connection dropped" });
  expect(asked).toEqual(["a:1"]);
  const deadline = new RpcError("DEADLINE_EXCEEDED", "Deadline exceeded after 10.0s,remote_addr=b:1");
  failures = { "b:1": deadline };
  await expect(call("write")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(asked).toEqual(["a:1", "b:1"]);
  const refused = [
    new RpcError("UNAVAILABLE", "No connection established. Last error: connect ECONNREFUSED"),
    new RpcError("DEADLINE_EXCEEDED", "Deadline exceeded after 10.0s,Waiting for LB pick"),
    new RpcError("RESOURCE_EXHAUSTED", "etcdserver: too many requests"),
    noLeader,
  ];
  for (const error of refused) {
    const from = endpoints.current().address;
    failures = { [from]: error };
    expect(await call("write")).not.toBe(from);
  }
});

test("an election is waited for, and no longer than it takes", async () => {
  failures = everywhere(noLeader);
  const elected = call("write");
  await clock.advance(1_000);
  failures = {};
  await clock.advance(100);
  expect(ADDRESSES).toContain(await elected);
  failures = { ...everywhere(noLeader), "b:1": new RpcError("UNAVAILABLE", "No connection established") };
  const never = expect(call("write")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await clock.advance(3_100);
  await never;
  expect(clock.pendingTimers).toBe(0);
});

test("what cannot be reached anywhere fails after each endpoint was asked once, and at once when closed", async () => {
  failures = everywhere(lost);
  await expect(call("read")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(asked).toEqual(ADDRESSES);
  failures = everywhere(noLeader);
  const waiting = expect(call("read")).rejects.toMatchObject({ code: "UNAVAILABLE" });
  for (let turns = 0; turns < 20; turns++) await Promise.resolve();
  endpoints.close();
  await waiting;
});

test("an error that the store has answered with is told as it is", async () => {
  failures = { "a:1": new RpcError("OUT_OF_RANGE", "etcdserver: mvcc: required revision has been compacted") };
  await expect(call("read")).rejects.toMatchObject({ code: "OUT_OF_RANGE" });
  expect(asked).toEqual(["a:1"]);
  const codes: readonly [RpcCode, string, string][] = [
    ["RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded", "RESOURCE_EXHAUSTED"],
    ["INTERNAL", "Received RST_STREAM with code 2", "UNAVAILABLE"],
    ["CANCELLED", "Call cancelled", "UNAVAILABLE"],
    ["ABORTED", "x", "UNKNOWN"],
  ];
  for (const [code, message, expected] of codes) {
    expect(storeErrorOf(new RpcError(code, message)).code).toBe(expected);
  }
});
