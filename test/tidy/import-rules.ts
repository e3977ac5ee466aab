import path from "node:path";
import { importsOf, type SourceFile } from "./source-files.ts";

/** Who may import whom. The first rule whose `folder` matches a file is its rule. */
export interface ImportRule {
  readonly folder: RegExp;
  /** Folders of ours, as prefixes of paths from the root; a file's own folder (the match of `folder`) is always allowed. */
  readonly ours: readonly string[];
  /** Packages; `*` allows any. Node's own modules are `node:` names, with `node:*` for all. */
  readonly packages: readonly string[];
  readonly why: string;
}

/** Modules of Node that compute and touch nothing; of `node:net` only the address parsers may be used. */
const NODE_PURE = ["node:net", "node:crypto", "node:path", "node:buffer", "node:zlib", "node:util", "node:assert"];

export const IMPORT_RULES: readonly ImportRule[] = [
  {
    folder: /^test\/|^bench\/|\.(test|suite|sim)\.ts$|\/testkit\/|\/testdata\//,
    ours: [""],
    packages: ["*"],
    why: "tests and benches may look anywhere",
  },
  { folder: /^proto\//, ours: ["lib"], packages: ["*"], why: "the generator is a tool" },
  {
    folder: /^lib\/gen\//,
    ours: ["lib/resource/kind.ts", "lib/resource/int64.ts", "lib/resource/codec/raw-json.ts"],
    packages: ["@bufbuild/protobuf/wire", "node:buffer"],
    why: "generated",
  },
  { folder: /^lib\/core\//, ours: [], packages: [], why: "pure: no timers, files, network" },
  {
    folder: /^lib\/resource\//,
    ours: ["lib/core", "lib/gen"],
    packages: [
      "@bufbuild/protobuf",
      "@bufbuild/protobuf/wkt",
      "@bufbuild/protobuf/wire",
      "@bufbuild/protobuf/reflect",
      "yaml",
      // Loads the YAML package when it is needed.
      "node:module",
      ...NODE_PURE,
    ],
    why: "pure, descriptor-driven",
  },
  {
    folder: /^lib\/store\//,
    ours: ["lib/core", "lib/gen", "lib/transport"],
    packages: [...NODE_PURE],
    why: "the store's interface and its gRPC client",
  },
  {
    folder: /^lib\/pki\//,
    ours: ["lib/core"],
    packages: ["@peculiar/x509", "reflect-metadata", ...NODE_PURE],
    why: "the only importer of the X.509 library",
  },
  {
    folder: /^lib\/client\//,
    ours: ["lib/core", "lib/resource", "lib/gen", "lib/transport"],
    packages: [...NODE_PURE],
    why: "the API for whoever uses it, and the client that speaks gRPC",
  },
  {
    folder: /^lib\/controller\//,
    ours: ["lib/core", "lib/resource", "lib/gen", "lib/client"],
    packages: [...NODE_PURE],
    why: "adapters come in from outside",
  },
  {
    folder: /^lib\/transport\//,
    ours: ["lib/core", "lib/gen"],
    packages: ["@grpc/grpc-js", "@bufbuild/protobuf/wire", "node:*"],
    why: "the only importer of grpc-js; reads what generated decoders read, strictly",
  },
  {
    folder: /^lib\/events\//,
    ours: ["lib/core", "lib/gen", "lib/resource", "lib/client"],
    packages: ["@nats-io/transport-node", "@nats-io/jwt", "@nats-io/nkeys", ...NODE_PURE],
    why: "the bus, and objects by it where the API is asked for the rest; the only importer of the NATS client",
  },
  {
    folder: /^lib\/process\//,
    ours: ["lib/core", "lib/gen"],
    packages: ["pino", "prom-client", "node:*"],
    why: "the process's edges",
  },
  {
    folder: /^services\/[^/]+\//,
    ours: ["lib"],
    packages: ["jose", "prom-client", "yaml", "node:*"],
    why: "a role imports lib, never another role",
  },
  {
    folder: /^lib\/role\//,
    ours: ["lib"],
    packages: ["prom-client", "node:*"],
    why: "what the main files of all roles share",
  },
  { folder: /^node-agent\//, ours: ["lib"], packages: ["node:*"], why: "executes CNI plugins, imports none of them" },
  { folder: /^cni-plugins\//, ours: ["lib/core"], packages: ["node:*"], why: "dependency-free: started for every pod" },
  {
    folder: /^cluster\//,
    ours: ["lib", "services", "node-agent"],
    packages: ["node:*"],
    why: "the only place that wires roles together",
  },
  {
    folder: /^cli\//,
    ours: [
      "lib",
      "cluster",
      "services/api-server/main.ts",
      "services/scheduler/main.ts",
      "services/controller-manager/main.ts",
      "services/store/main.ts",
      "node-agent/main.ts",
      "node-agent/identity",
      "node-agent/container-node.ts",
    ],
    packages: ["fflate", "yaml", "node:*"],
    why: "the command",
  },
];

/** Violations, one sentence each. */
export function checkImports(files: readonly SourceFile[], rules: readonly ImportRule[]): string[] {
  const violations: string[] = [];
  for (const file of files) {
    const rule = rules.find((candidate) => candidate.folder.test(file.path));
    if (rule === undefined) {
      violations.push(`${file.path}: no import rule covers this folder`);
      continue;
    }
    const own = rule.folder.exec(file.path)?.[0] ?? "";
    for (const name of importsOf(file.text)) {
      if (!allowed(name, file.path, own, rule)) violations.push(`${file.path}: may not import ${name} (${rule.why})`);
    }
  }
  return violations;
}

function allowed(name: string, from: string, own: string, rule: ImportRule): boolean {
  if (name.startsWith(".")) {
    const target = path.posix.normalize(path.posix.join(path.posix.dirname(from), name));
    return target.startsWith(own) || rule.ours.some((prefix) => target.startsWith(prefix));
  }
  if (rule.packages.includes("*") || rule.packages.includes(name)) return true;
  return name.startsWith("node:") && rule.packages.includes("node:*");
}
