import { expect, test } from "vitest";
import { CommandError, runCommand, withPrefix } from "./command.ts";

test("resolves with what the program printed, having given it its input", async () => {
  expect(await runCommand(["cat"], "a\nb")).toBe("a\nb");
  expect(await runCommand(["printf", "%s|", "a b", "$HOME", "*"])).toBe("a b|$HOME|*|");
});

test("a prefix comes before every command", async () => {
  const run = withPrefix(withPrefix(runCommand, ["env", "A=1"]), ["env", "B=2"]);
  expect(await run(["sh", "-c", "echo $A $B"])).toBe("1 2\n");
});

test("a failure tells status and words of the program", async () => {
  const failed = runCommand(["sh", "-c", "echo out; echo no >&2; exit 3"]);
  await expect(failed).rejects.toMatchObject({ exitCode: 3, stdout: "out\n", stderr: "no\n", missing: false });
  await expect(failed).rejects.toThrow(/: no$/);
  await expect(runCommand(["sh", "-c", "kill -9 $$"])).rejects.toMatchObject({ exitCode: undefined });
});

test("a program that is not there is told from one that fails", async () => {
  const missing = await runCommand(["keelson-no-such-program"]).catch((error: unknown) => error);
  expect(missing).toBeInstanceOf(CommandError);
  expect(missing).toMatchObject({ missing: true, message: "keelson-no-such-program: not installed" });
});

test("a program that does not read its input is no failure, and large output comes whole", async () => {
  expect(await runCommand(["true"], "x".repeat(1_000_000))).toBe("");
  expect((await runCommand(["head", "-c", "3000000", "/dev/zero"])).length).toBe(3_000_000);
});
