import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { ROOT, type SourceFile, sourceFiles } from "./source-files.ts";

const LINES_MAX = 400;
const BANNED_NAMES = /(^|\/)(util|utils|common|helpers|types|index)(\.test)?\.ts$/;

interface TextRule {
  readonly pattern: RegExp;
  readonly says: string;
  readonly except: RegExp;
}

const NOWHERE = /^$/;
/**
 * Two servers take a client without a certificate and refuse it in words (401, 403); HTTPS probes and hooks ask a pod's
 * own certificate for nothing, as upstream's do.
 */
const UNVERIFIED =
  /^(test|bench)\/|\.test\.ts$|^services\/api-server\/rest\/|^node-agent\/(server\/kubelet-server|probes\/probe-runner|pods\/life-cycle-hook)\.ts$/;
const TEXT_RULES: readonly TextRule[] = [
  { pattern: /\b(TODO|FIXME|XXX|HACK)\b/, says: "unfinished work", except: /^test\/tidy\// },
  { pattern: /\bvi\.mock\(/, says: "no mocking of modules: use a simulator", except: /^test\/tidy\// },
  { pattern: /@ts-(ignore|nocheck)/, says: "a silenced type error", except: /^test\/tidy\// },
  { pattern: /\b(it|test|describe)\.only\(/, says: "a focused test hides the others", except: NOWHERE },
  {
    pattern: /Math\.random\(/,
    says: "randomness comes from lib/core/random.ts",
    except: /^(lib\/process|test|bench)\/|\.test\.ts$/,
  },
  { pattern: /\beval\(|new Function\(/, says: "no code from strings", except: NOWHERE },
  {
    pattern: /rejectUnauthorized:\s*false/,
    says: "every hop is verified",
    except: UNVERIFIED,
  },
];

function violations(files: readonly SourceFile[]): string[] {
  const found: string[] = [];
  for (const file of files) {
    if (file.path.startsWith("lib/gen/")) continue;
    const lines = file.text.split("\n");
    if (lines.length > LINES_MAX && !file.path.endsWith(".suite.ts") && !file.path.endsWith(".test.ts"))
      found.push(`${file.path}: ${lines.length} lines, over ${LINES_MAX}`);
    if (BANNED_NAMES.test(file.path)) found.push(`${file.path}: a name that says nothing`);
    for (const rule of TEXT_RULES) {
      if (rule.except.test(file.path)) continue;
      const at = lines.findIndex((line) => rule.pattern.test(line));
      if (at >= 0) found.push(`${file.path}:${at + 1}: ${rule.says}`);
    }
  }
  return found;
}

test("house rules hold", () => {
  expect(violations(sourceFiles())).toEqual([]);
});

test("planted sins are found", () => {
  const sins = "// TODO later\nconst x = Math.random();\n";
  expect(violations([{ path: "lib/core/helpers.ts", text: sins }])).toEqual([
    "lib/core/helpers.ts: a name that says nothing",
    "lib/core/helpers.ts:1: unfinished work",
    "lib/core/helpers.ts:2: randomness comes from lib/core/random.ts",
  ]);
});

test("no file that is committed names this machine's folders", () => {
  const banned = ["/work/", "main"].join("");
  const named = sourceFiles().filter((file) => file.text.includes(banned));
  expect(named.map((file) => file.path)).toEqual([]);
});

test("documents name files that exist", () => {
  const dangling: string[] = [];
  for (const document of [
    "README.md",
    "docs/architecture.md",
    "docs/glossary.md",
    "docs/add-a-kind.md",
    "docs/add-a-controller.md",
  ]) {
    const text = readFileSync(path.join(ROOT, document), "utf8");
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      if (!existsSync(path.join(ROOT, path.dirname(document), target!))) dangling.push(`${document}: ${target}`);
    }
  }
  expect(dangling).toEqual([]);
});
