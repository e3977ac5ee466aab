import { expect, test } from "vitest";
import { CniCode, CniError } from "./cni-error.ts";
import { answer, type Plugin } from "./plugin.ts";
import { encodeResult } from "./result.ts";

/** Remembers what it was asked. */
function recorder(): Plugin & { asked: string[] } {
  const asked: string[] = [];
  const note = (verb: string) => () => {
    asked.push(verb);
  };
  return {
    asked,
    add() {
      asked.push("add");
      return { ips: [{ address: "10.0.0.2/24" }, { address: "fd00::2/64" }] };
    },
    del: note("del"),
    check: note("check"),
    gc: note("gc"),
    status: note("status"),
  };
}

const ENV = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/x",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/x",
};
const CONFIG = { cniVersion: "1.1.0", name: "net", type: "t" };
const call = (env: Record<string, string>, config: unknown = CONFIG, plugin: Plugin = recorder()) =>
  answer(plugin, { ...ENV, ...env }, () => (typeof config === "string" ? config : JSON.stringify(config)));
const codeOf = (given: ReturnType<typeof answer>) => (given.exitCode === 0 ? 0 : JSON.parse(given.stdout).code);

test("each verb reaches its method", () => {
  for (const command of ["ADD", "DEL", "CHECK", "GC", "STATUS"]) {
    const plugin = recorder();
    expect(codeOf(call({ CNI_COMMAND: command }, { ...CONFIG, "cni.dev/valid-attachments": [] }, plugin))).toBe(0);
    expect(plugin.asked).toEqual([command.toLowerCase()]);
  }
});

test("VERSION is answered whatever else is wrong", () => {
  const given = call({ CNI_COMMAND: "VERSION", CNI_CONTAINERID: "", CNI_IFNAME: "" }, "");
  expect(JSON.parse(given.stdout).supportedVersions).toContain("1.1.0");
  expect(JSON.parse(call({ CNI_COMMAND: "VERSION" }, { cniVersion: "1.0.0" }).stdout).cniVersion).toBe("1.0.0");
});

test.each<[string, Record<string, string>, unknown, number]>([
  ["empty standard input", {}, "", 6],
  ["no JSON", {}, "{", 6],
  ["JSON that is no object", {}, "[1]", 6],
  ["an unknown version", {}, { ...CONFIG, cniVersion: "9.0.0" }, 1],
  ["no version, which means 0.1.0", {}, { name: "net" }, 1],
  ["a version that is no text", {}, { ...CONFIG, cniVersion: 1 }, 7],
  ["a verb that its version does not have", { CNI_COMMAND: "GC" }, { ...CONFIG, cniVersion: "1.0.0" }, 1],
  ["an unknown verb", { CNI_COMMAND: "FROB" }, CONFIG, 4],
  ["no verb", { CNI_COMMAND: "" }, CONFIG, 4],
  ["no container", { CNI_CONTAINERID: "" }, CONFIG, 4],
  ["a container with ..", { CNI_CONTAINERID: "../x" }, CONFIG, 4],
  ["a container with a line break", { CNI_CONTAINERID: "a\nb" }, CONFIG, 4],
  ["no interface", { CNI_IFNAME: "" }, CONFIG, 4],
  ["an interface with /", { CNI_IFNAME: "a/b" }, CONFIG, 4],
  ["an interface of ..", { CNI_IFNAME: ".." }, CONFIG, 4],
  ["an interface with a space", { CNI_IFNAME: "a b" }, CONFIG, 4],
  ["an interface of 16 characters", { CNI_IFNAME: "abcdefghijklmnop" }, CONFIG, 4],
  ["no namespace", { CNI_NETNS: "" }, CONFIG, 4],
  ["a relative namespace", { CNI_NETNS: "x" }, CONFIG, 4],
  ["arguments that are no pairs", { CNI_ARGS: "IP" }, CONFIG, 4],
  ["a network's name that leads out of its folder", {}, { ...CONFIG, name: "../x" }, 7],
  ["a network without a name", {}, { cniVersion: "1.0.0" }, 7],
  ["GC without its list", { CNI_COMMAND: "GC" }, CONFIG, 7],
  ["GC with a list of something else", { CNI_COMMAND: "GC" }, { ...CONFIG, "cni.dev/valid-attachments": [{}] }, 7],
])("%s has its code", (_, env, config, code) => {
  const plugin = recorder();
  const given = call(env, config, plugin);
  expect(codeOf(given)).toBe(code);
  expect(plugin.asked).toEqual([]);
  // What libcni reads is on standard output; standard error is for people.
  expect(JSON.parse(given.stdout).msg).not.toBe("");
  expect(given.stderr).not.toBe("");
});

test("an interface of 15 characters and DEL without a namespace are fine", () => {
  expect(codeOf(call({ CNI_IFNAME: "abcdefghijklmno" }))).toBe(0);
  expect(codeOf(call({ CNI_COMMAND: "DEL", CNI_NETNS: "" }))).toBe(0);
});

test("standard input that cannot be read is code 5", () => {
  const given = answer(recorder(), ENV, () => {
    throw new Error("EIO");
  });
  expect(codeOf(given)).toBe(5);
});

test("an error repeats the caller's version, and what is not foreseen is still an answer", () => {
  const failing = (error: unknown): Plugin => ({
    ...recorder(),
    add() {
      throw error;
    },
  });
  const refused = call(
    {},
    { ...CONFIG, cniVersion: "0.4.0" },
    failing(new CniError(CniCode.tryAgainLater, "full", "why")),
  );
  expect(JSON.parse(refused.stdout)).toEqual({ cniVersion: "0.4.0", code: 11, msg: "full", details: "why" });
  expect(codeOf(call({}, CONFIG, failing(new TypeError("bug"))))).toBe(100);
});

test("before 1.0 addresses say their family", () => {
  const result = { ips: [{ address: "10.0.0.2/24" }, { address: "fd00::2/64" }] };
  expect(JSON.parse(encodeResult(result, "0.4.0")).ips.map((ip: { version: string }) => ip.version)).toEqual([
    "4",
    "6",
  ]);
  expect(JSON.parse(encodeResult(result, "1.0.0")).ips[0]).toEqual({ address: "10.0.0.2/24" });
});
