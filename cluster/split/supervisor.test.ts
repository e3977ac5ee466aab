import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../lib/core/log.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { processStarter } from "./start-process.ts";
import { Supervisor } from "./supervisor.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "keelson-supervisor-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Says its name when it starts and when it is told to end, in a file that all share. */
function program(name: string): { name: string; argv: string[] } {
  const script = `trap 'echo ${name} ends >> told; kill $!; exit 0' TERM; echo ${name} starts; sleep 60 & wait $!`;
  return { name, argv: ["sh", "-c", script] };
}

function supervisor(stages: ConstructorParameters<typeof Supervisor>[1]) {
  const start = processStarter({ cwd: folder, logs: path.join(folder, "logs") });
  return new Supervisor({ clock: realClock, random: realRandom, log: silentLog, start }, stages);
}

const log = (name: string) => readFileSync(path.join(folder, "logs", `${name}.log`), "utf8");

test("processes run with a log each, come back when killed, and end from the last stage on", async () => {
  const victim = { name: "victim", argv: ["sh", "-c", "echo starts; exec sleep 60"] };
  const all = supervisor([[program("first"), victim], [program("second")]]);
  await all.start();
  try {
    await expect.poll(() => [log("first"), log("second")]).toEqual(["first starts\n", "second starts\n"]);
    await expect.poll(() => log("victim")).toBe("starts\n");
    const { pid } = all.process("victim");
    process.kill(pid!, "SIGKILL");
    await expect.poll(() => log("victim")).toBe("starts\nstarts\n");
    expect(all.process("victim").pid).not.toBe(pid);
  } finally {
    await all.stop();
  }
  expect(readFileSync(path.join(folder, "told"), "utf8")).toBe("second ends\nfirst ends\n");
  expect(all.process("victim").pid).toBeUndefined();
});

test("a program that is not there counts as one that ended", async () => {
  const all = supervisor([[{ name: "none", argv: ["/nonexistent/program"] }]]);
  await all.start();
  await expect.poll(() => all.process("none").failures).toBeGreaterThan(0);
  await all.stop();
});

test("a descriptor is handed on as number 3", async () => {
  const file = path.join(folder, "inherited");
  const fd = openSync(file, "w");
  const argv = ["sh", "-c", "echo here >&3; exec sleep 60"];
  const all = supervisor([[{ name: "writer", argv, inheritedFd: fd }]]);
  await all.start();
  await expect.poll(() => readFileSync(file, "utf8")).toBe("here\n");
  await all.stop();
  closeSync(fd);
});
