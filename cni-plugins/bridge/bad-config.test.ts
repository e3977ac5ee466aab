import fc from "fast-check";
import { expect, test } from "vitest";
import { hostLocal } from "../host-local/host-local.ts";
import { portmap } from "../portmap/portmap.ts";
import { CniCode } from "../skel/cni-error.ts";
import { answer } from "../skel/plugin.ts";
import { COMMANDS } from "../skel/request.ts";
import { ExecError } from "../skel/system.ts";
import { bridge } from "./bridge.ts";

const exec = (argv: readonly string[]): string => {
  throw new ExecError(argv, "nothing runs here");
};
const plugin = bridge({ exec, ipam: hostLocal, ports: portmap(exec), interfaceNames: () => new Set() });

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    0,
    -1,
    1e308,
    "",
    "10.0.0.0/24",
    "../x",
    "__proto__",
    true,
    null,
    [[]],
    [[{ subnet: "10.0.0.0/24" }]],
  ),
);
const config = fc.record(
  {
    cniVersion: fc.oneof(fc.constant("1.1.0"), odd),
    name: fc.oneof(fc.constant("net"), odd),
    bridge: odd,
    mtu: odd,
    isGateway: odd,
    capabilities: fc.oneof(fc.constant({ portMappings: true }), odd),
    runtimeConfig: fc.oneof(fc.record({ portMappings: odd, ips: odd, ipRanges: odd }, { requiredKeys: [] }), odd),
    args: odd,
    prevResult: odd,
    "cni.dev/valid-attachments": odd,
    ipam: fc.oneof(
      odd,
      fc.record(
        { type: fc.constant("host-local"), ranges: odd, routes: odd, subnet: odd, dataDir: fc.constant("/proc/none") },
        { requiredKeys: ["type", "dataDir"] },
      ),
    ),
  },
  { requiredKeys: [] },
);
const environment = fc.record({
  CNI_COMMAND: fc.constantFrom(...COMMANDS, "", "add"),
  CNI_CONTAINERID: fc.oneof(fc.constant("c1"), fc.string()),
  CNI_IFNAME: fc.oneof(fc.constant("eth0"), fc.string()),
  CNI_NETNS: fc.oneof(fc.constant("/run/netns/none"), fc.string()),
  CNI_ARGS: fc.oneof(fc.constant(""), fc.string()),
});

test("whatever it is told, a plugin answers in the specification's words", () => {
  const codes: readonly number[] = Object.values(CniCode);
  fc.assert(
    fc.property(
      environment,
      fc.oneof(
        config.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      (env, stdin) => {
        const { exitCode, stdout } = answer(plugin, env, () => stdin);
        if (exitCode === 0) return;
        const body = JSON.parse(stdout) as { code: number; msg: string; details?: string };
        expect(codes).toContain(body.code);
        expect(body.msg).not.toBe("");
        // Code 100 is for what the system refuses; a slip of ours would hide behind it.
        if (body.code === CniCode.systemFailure) expect(body.details).toMatch(/nothing runs here|ENOENT|EACCES/);
      },
    ),
    { numRuns: 1_000 },
  );
});
