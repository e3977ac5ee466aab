import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import type { ApiFixture } from "../api/api-fixture.ts";

const execute = promisify(execFile);

export const ROOT = join(import.meta.dirname, "../..");
export const PROTO = join(ROOT, "proto");

/**
 * A folder for one client: generated code, and the certificates that a client is given. Inside the checkout, so that what is
 * generated there finds the packages that its author would have installed.
 */
export class ClientFolder implements Disposable {
  readonly path: string;

  constructor(api: ApiFixture) {
    mkdirSync(join(ROOT, ".cache"), { recursive: true });
    this.path = mkdtempSync(join(ROOT, ".cache/client-"));
    writeFileSync(join(this.path, "ca.crt"), api.serverCaPem);
    writeFileSync(join(this.path, "client.crt"), api.admin.certPem);
    writeFileSync(join(this.path, "client.key"), api.admin.keyPem, { mode: 0o600 });
  }

  /** Runs a program in the folder; its output, or an error that says what it wrote. */
  async run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    try {
      const options = { cwd: this.path, env: { ...process.env, ...env }, timeout: 300_000, maxBuffer: 16 * 2 ** 20 };
      return (await execute(program, args, options)).stdout;
    } catch (error) {
      const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
      throw new Error(`${program} ${args[0] ?? ""} failed:\n${stdout}\n${stderr}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What every client prints for an object `name`, whatever language it is in. */
function linesOf(name: string): string[] {
  return [
    `created ${name} 1`,
    `watched ADDED ${name} 1`,
    "updated 2",
    `watched MODIFIED ${name} 2`,
    "conflict ABORTED Conflict 409",
    "transacted 2",
    "taken ALREADY_EXISTS AlreadyExists 409",
    "absent NOT_FOUND NotFound 404",
    "fenced ABORTED Conflict 409",
    `watched DELETED ${name} 2`,
    "deleted NOT_FOUND NotFound 404",
  ];
}

/** The client said what it must, and the server has what it then must have. */
export async function expectScenario(api: ApiFixture, name: string, output: string): Promise<void> {
  expect(output.trim().split("\n")).toEqual(linesOf(name));
  const status = async (resource: string, object: string) =>
    (await api.send("GET", `/api/v1/namespaces/default/${resource}/${object}`)).status;
  expect(await Promise.all([status("configmaps", `${name}-t`), status("secrets", `${name}-t`)])).toEqual([200, 200]);
  const absent = [name, `${name}-u`, `${name}-v`].map((object) => status("configmaps", object));
  expect(await Promise.all(absent)).toEqual([404, 404, 404]);
}
